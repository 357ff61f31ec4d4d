import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, statfsSync } from 'node:fs';
import {
  type Directory,
  decodeDirectory,
  encodeDirectory,
  type FileNode,
  usageOfDirectory,
  usageOfFile,
} from '../cas/directory.ts';
import { type StatSignature, signatureOf } from '../cas/stat-cache.ts';
import { compareBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { rightsTo } from './caller-rights.ts';
import { expectPlace } from './expect-place.ts';
import { listNames, readTarget } from './list-names.ts';
import type { Privacy } from './privacy.ts';

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
  /** All that is in it may be shown; else only what leads on is, and `bytes` say so. */
  isOpen: boolean;
  /** Size and time of its files as they stand in `bytes`. */
  files: ReadonlyMap<string, { sizeBytes: number; mtimeNs: bigint }>;
}

/** What executors are shown of a place that is not theirs to see. */
export const emptyListing: Pick<SystemListing, 'bytes' | 'files' | 'isOpen'> = {
  bytes: encodeDirectory({ files: [], directories: [], symlinks: [], mode: 0o755, mtimeNs: 0n }),
  files: new Map(),
  isOpen: true,
};

/**
 * Lists a directory. Sockets and devices, which can be used here only, both stand in it as sockets: mirrors tell their names, and who
 * has looked at one. Private files are shown empty and without time: so their
 * steady growth (histories, logs) is no change either.
 *
 * @param path absolute, without symlinks in it
 * @param isParentOpen of the directory that it is in
 * @throws a system error: ENOENT, ENOTDIR (also for a path that leads through a symlink), EACCES
 */
export function listSystemDirectory(path: string, privacy: Privacy, isParentOpen: boolean): SystemListing {
  const descriptor = openSync(fsPath(path), openFlags);
  try {
    expectPlace(descriptor, path);
    const own = fstatSync(descriptor, { bigint: true });
    const isOpen = privacy.isOpen(path, own, isParentOpen);
    // Through the descriptor: what the path leads to may be another one at any moment.
    const place = `/proc/self/fd/${descriptor}`;
    const { directory, files, linked } = isOpen
      ? listEntries(path, place, privacy.hiddenFilesIn(path))
      : listLeading(path, place, privacy);
    const bytes = encodeDirectory({
      ...directory,
      ...{ mode: Number(own.mode) & 0o7777, mtimeNs: own.mtimeNs },
      ...usageOfDirectory({ sizeBytes: Number(own.size), blocks: Number(own.blocks) }),
      ...rightsIn(place, own),
      ...(!isOpen && { isPartial: true }),
    });
    const isLocal = localFileSystems.has(statfsSync(place).type);
    return { bytes, own: signatureOf(own), linked, isLocal, isOpen, files };
  } finally {
    closeSync(descriptor);
  }
}

/** Neither follows a symlink that has taken the directory's place, nor waits for the writer of a FIFO. */
const openFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

type Entries = Pick<SystemListing, 'files' | 'linked'> & { directory: Directory };

function noEntries() {
  return {
    directory: { files: [], directories: [], symlinks: [] } as Directory,
    files: new Map<string, { sizeBytes: number; mtimeNs: bigint }>(),
    linked: new Map<string, StatSignature>(),
  };
}

/** @param place another path to the directory `path` */
function listEntries(path: string, place: string, isHidden: ReturnType<Privacy['hiddenFilesIn']>): Entries {
  const entries = noEntries();
  const { directory, files, linked } = entries;
  for (const name of listNames(place).sort(compareBytes)) {
    const entry = `${place}/${name}`;
    const stats = lstatSync(fsPath(entry), { bigint: true, throwIfNoEntry: false });
    if (!stats) continue;
    if (stats.isDirectory()) {
      directory.directories.push({ name });
    } else if (stats.isSymbolicLink()) {
      const target = targetOf(entry);
      if (target !== undefined) directory.symlinks.push({ name, target, mtimeNs: stats.mtimeNs });
    } else {
      const isKept = isHidden(path === '/' ? `/${name}` : `${path}/${name}`, stats);
      const shown = { ...describe(name, stats, isKept), ...rightsIn(entry, stats) };
      directory.files.push(shown);
      if (shown.type === 'file') files.set(name, { sizeBytes: Number(stats.size), mtimeNs: stats.mtimeNs });
      if (stats.nlink > 1n && !isKept) linked.set(name, signatureOf(stats));
    }
  }
  return entries;
}

/** Only what leads to a place that may be shown. */
function listLeading(path: string, place: string, privacy: Privacy): Entries {
  const entries = noEntries();
  const { directory } = entries;
  for (const name of privacy.leadingNames(path).sort(compareBytes)) {
    const entry = `${place}/${name}`;
    const stats = lstatSync(fsPath(entry), { bigint: true, throwIfNoEntry: false });
    if (stats?.isDirectory()) directory.directories.push({ name });
    const target = stats?.isSymbolicLink() ? targetOf(entry) : undefined;
    if (stats && target !== undefined) directory.symlinks.push({ name, target, mtimeNs: stats.mtimeNs });
  }
  return entries;
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

function describe(name: string, stats: BigIntStats, isPrivate: boolean): FileNode {
  const isHidden = isPrivate || !stats.isFile();
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
