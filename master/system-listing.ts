import { type BigIntStats, lstatSync, realpathSync, statfsSync } from 'node:fs';
import {
  type Directory,
  decodeDirectory,
  encodeDirectory,
  type FileNode,
  usageOfDirectory,
  usageOfFile,
} from '../cas/directory.ts';
import { type StatSignature, signatureOf } from '../cas/stat-cache.ts';
import { compareBytes, decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { rightsTo } from './caller-rights.ts';
import { listNames, readTarget } from './list-names.ts';

/** A directory outside the project, as executors are shown it. */
export interface SystemListing {
  /** Shallow Directory blob. */
  bytes: Buffer;
  /** How the directory itself looked: every name that comes or goes changes it. */
  own: StatSignature;
  /** The files in it that can be changed without anybody who watches the directory being told: by other names. */
  linked: ReadonlyMap<string, StatSignature>;
  /** Whether all changes come from this machine, so that whoever watches is told. */
  isLocal: boolean;
  /** Size and time of its files as they stand in `bytes`. */
  files: ReadonlyMap<string, { sizeBytes: number; mtimeNs: bigint }>;
}

/** What executors are shown of a place that is not theirs to see. */
export const emptyListing: Pick<SystemListing, 'bytes' | 'files'> = {
  bytes: encodeDirectory({ files: [], directories: [], symlinks: [], mode: 0o755, mtimeNs: 0n }),
  files: new Map(),
};

/** A file that only its owner may touch is nobody else's business: keys, histories. */
export function isPrivate(stats: BigIntStats): boolean {
  return (stats.mode & 0o077n) === 0n;
}

/**
 * Lists a directory. Sockets and devices, which can be used here only, both stand in it as sockets: mirrors tell their names, and who
 * has looked at one. Private files are shown empty and without time: so their
 * steady growth (histories, logs) is no change either.
 *
 * @param path absolute, without symlinks in it
 * @throws a system error: ENOENT, ENOTDIR (also for a path that leads through a symlink), EACCES
 */
export function listSystemDirectory(path: string): SystemListing {
  if (decodeBytes(realpathSync.native(fsPath(path), { encoding: 'buffer' })) !== path)
    throw notDirectory(path);
  const own = lstatSync(fsPath(path), { bigint: true });
  if (!own.isDirectory()) throw notDirectory(path);
  const directory: Directory = {
    files: [],
    directories: [],
    symlinks: [],
    mode: Number(own.mode) & 0o7777,
    mtimeNs: own.mtimeNs,
    ...usageOfDirectory({ sizeBytes: Number(own.size), blocks: Number(own.blocks) }),
    ...rightsIn(path, own),
  };
  const files = new Map<string, { sizeBytes: number; mtimeNs: bigint }>();
  const linked = new Map<string, StatSignature>();
  for (const name of listNames(path).sort(compareBytes)) {
    const place = path === '/' ? `/${name}` : `${path}/${name}`;
    const stats = lstatSync(fsPath(place), { bigint: true, throwIfNoEntry: false });
    if (!stats) continue;
    if (stats.isDirectory()) {
      directory.directories.push({ name });
    } else if (stats.isSymbolicLink()) {
      const target = targetOf(place);
      if (target !== undefined) directory.symlinks.push({ name, target, mtimeNs: stats.mtimeNs });
    } else {
      const shown = { ...describe(name, stats), ...rightsIn(place, stats) };
      directory.files.push(shown);
      if (shown.type === 'file') files.set(name, { sizeBytes: Number(stats.size), mtimeNs: stats.mtimeNs });
      if (stats.nlink > 1n && !isPrivate(stats)) linked.set(name, signatureOf(stats));
    }
  }
  const isLocal = localFileSystems.has(statfsSync(fsPath(path)).type);
  return { bytes: encodeDirectory(directory), own: signatureOf(own), linked, isLocal, files };
}

/** How one listing of a directory differs from a later one. */
export interface ListingDifference {
  /** Names whose entries are not the same: come, gone, or looking different. */
  names: string[];
  /** Whether the names themselves, or what they stand for, differ: all that listing the directory shows. */
  isRelisted: boolean;
}

/** Times of the directories themselves aside: each name that comes or goes changes them. */
export function compareListings(former: Uint8Array, latter: Uint8Array): ListingDifference {
  const [before, after] = [entriesOf(former), entriesOf(latter)];
  const names: string[] = [];
  let isRelisted = false;
  for (const [name, { kind, look }] of before) {
    const now = after.get(name);
    if (now?.kind !== kind) isRelisted = true;
    if (now?.kind !== kind || now.look !== look) names.push(name);
  }
  for (const name of after.keys()) {
    if (before.has(name)) continue;
    names.push(name);
    isRelisted = true;
  }
  return { names, isRelisted };
}

function entriesOf(blob: Uint8Array): Map<string, { kind: string; look: string }> {
  const { files, directories, symlinks } = decodeDirectory(blob);
  const entries = new Map<string, { kind: string; look: string }>();
  for (const { name, type, mode, digest, mtimeNs } of files)
    entries.set(name, { kind: type, look: `${mode} ${digest.sizeBytes} ${mtimeNs}` });
  for (const { name } of directories) entries.set(name, { kind: 'directory', look: '' });
  for (const { name, target, mtimeNs } of symlinks)
    entries.set(name, { kind: 'symlink', look: `${mtimeNs} ${target}` });
  return entries;
}

/** ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, squashfs, EROFS. Source: include/uapi/linux/magic.h, statfs(2). */
export const localFileSystems: ReadonlySet<number> = new Set([
  ...[0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1, 0x73717368, 0xe0f5e1e2],
]);

/** Of a private file neither size nor time is told; not 0 either: from an empty file nobody asks to read. */
const privateSizeBytes = 1;

function describe(name: string, stats: BigIntStats): FileNode {
  const isHidden = isPrivate(stats) || !stats.isFile();
  const hiddenSize = stats.isFile() ? privateSizeBytes : 0;
  return {
    name,
    type: stats.isFile() ? 'file' : stats.isFIFO() ? 'fifo' : 'socket',
    digest: { hash: '', sizeBytes: isHidden ? hiddenSize : Number(stats.size) },
    mode: Number(stats.mode) & 0o7777,
    mtimeNs: isHidden ? 0n : stats.mtimeNs,
    ...(!isHidden && usageOfFile({ sizeBytes: Number(stats.size), blocks: Number(stats.blocks) })),
  };
}

/** To be spread: nearly everything that a root sees has none. */
function rightsIn(path: string, stats: BigIntStats): Pick<FileNode, 'rights'> {
  const rights = rightsTo(path, stats);
  return rights ? { rights } : {};
}

function targetOf(path: string): string | undefined {
  try {
    return readTarget(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EINVAL')) return undefined;
    throw error;
  }
}

function notDirectory(path: string): Error {
  return systemError('ENOTDIR', `not a directory: "${path}"`);
}

/** An error as `node:fs` throws it. */
export function systemError(code: 'ENOTDIR' | 'ENOENT' | 'EACCES' | 'EPERM', message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
