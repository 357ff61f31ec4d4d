import { digestOf } from '../cas/digest.ts';
import { decodeDirectory } from '../cas/directory.ts';
import { lookUpEntry, lookUpSelf } from '../cas/directory-lookup.ts';
import type { Digest } from '../protocol/digest.ts';
import { type Observation, ObservationFlag, type TreeNode } from '../protocol/job.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import type { Snapshot } from './snapshot.ts';
import type { DirectoryNode } from './tree-node.ts';

/*
 * The state of a path as far as it counts for a command that observed it in a certain way, as text:
 *
 *     absent          f <mode> <hash>         file                d <mode>           found
 *     p <mode>        f <mode> empty|some     file, CountFlag     d <mode> <names>   listed
 *     l <target>                              .overwritten        overwritten
 *
 * Two states are equal exactly if their texts are. "overwritten": nothing, or an ordinary file of which the command
 * only wants the name (`overwrittenOutputs`). With CountFlag.exactTime " @<nanoseconds>" follows, behind files that are
 * newer than the command itself " future". How files compare by age is told apart from this: age-order.ts.
 */

/** Paths that are overwritten unseen, with the mode a new file gets. */
export type Overwritten = ReadonlyMap<string, number>;

/** What a command's states depend on besides the tree. */
export interface Viewpoint {
  overwritten: Overwritten;
  /** When the command starts; absent for one that compares no times. */
  nowNs?: bigint | undefined;
}

/** What counts of an observed path, beside `ObservationFlag`: decided when a result is kept (counted-observations.ts). */
export const CountFlag = {
  /** A file that the command replaced or removed without having read it: of its content only whether there is any. */
  overwritten: 1 << 16,
  /** Something whose age the command may have compared with that of all others that are flagged so, or as `aged`. */
  compared: 1 << 17,
  /** A file that it read: its age may have been compared with that of those that are `compared`. */
  aged: 1 << 18,
  /** Its time itself. */
  exactTime: 1 << 19,
} as const;

/** Clocks of other machines, and of kernels that stamp files by ticks, are off by less. */
const clockSlackNs = 1_000_000_000n;

/** The state of a path now; undefined when it cannot be told just now. */
export function presentState(
  snapshot: Snapshot,
  { path, flags }: Observation,
  view: Viewpoint,
): string | undefined {
  const node = snapshot.lookup(path);
  switch (node?.type) {
    case undefined:
      return absentState(path, flags, view.overwritten);
    case 'hidden':
      // Jobs do not see it, so nothing that was kept was made with it there.
      return node.isOurs ? absentState(path, flags, view.overwritten) : 'hidden';
    case 'file': {
      const { digest, linkCount } = node;
      if (!digest) return undefined;
      // Of a file with further names these would show the new content as well.
      if (linkCount === 1) return fileState(path, flags, { ...node, digest }, view);
      const seen = flags & ~CountFlag.overwritten;
      return fileState(path, seen, { ...node, digest }, { ...view, overwritten: none });
    }
    case 'directory':
      if (flags & ObservationFlag.listed && node.concealedCount > 0) return 'hidden names';
      return directoryState(node, flags, flags & ObservationFlag.listed ? namesOf(node) : undefined);
    case 'symlink':
      return `l ${node.target}${timeOf(node, flags)}`;
    case 'fifo':
      return `p ${node.mode}`;
  }
}

/** What stands at a path now, as manifests say it. */
export function presentNode(snapshot: Snapshot, path: string): TreeNode | null {
  const node = snapshot.lookup(path);
  switch (node?.type) {
    case undefined:
    case 'hidden':
      return null;
    case 'file':
      return { type: 'file', digest: node.digest!, mode: node.mode, mtimeNs: node.mtimeNs };
    case 'directory':
      return { type: 'directory', mode: node.mode, mtimeNs: node.mtimeNs };
    case 'symlink':
      return { type: 'symlink', target: node.target };
    case 'fifo':
      return { type: 'fifo', mode: node.mode };
  }
}

/** When a file, directory or symlink there was changed last; undefined for anything else. */
export function presentTimeNs(snapshot: Snapshot, path: string): bigint | undefined {
  const node = snapshot.lookup(path);
  return node && 'mtimeNs' in node ? node.mtimeNs : undefined;
}

/** A tree by its root digest, as far as its Directory blobs are at hand. */
export class FormerTree {
  readonly #load: (digest: Digest) => Uint8Array | undefined;
  readonly #directories = new Map<string, Uint8Array | undefined>();
  /** Some directory was not to be had: then no answer is to be trusted. */
  isIncomplete = false;

  constructor(root: Digest, load: (digest: Digest) => Uint8Array | undefined) {
    this.#load = load;
    this.#directories.set('', this.#blob(root));
  }

  state({ path, flags }: Observation, view: Viewpoint): string {
    if (path === '') return this.#directoryState('', flags);
    const entry = this.#entry(path);
    const file = entry?.files[0];
    const symlink = entry?.symlinks[0];
    if (entry?.directories[0]) return this.#directoryState(path, flags);
    if (symlink) return `l ${symlink.target}${timeOf(symlink, flags)}`;
    if (file?.type === 'file') return fileState(path, flags, file, view);
    if (file?.type === 'fifo') return `p ${file.mode}`;
    return absentState(path, flags, view.overwritten);
  }

  /** What stood at a path, as manifests say it. */
  node(path: string): TreeNode | null {
    const entry = path === '' ? undefined : this.#entry(path);
    const file = entry?.files[0];
    const symlink = entry?.symlinks[0];
    if (path === '' || entry?.directories[0]) {
      const { mode = 0o755, mtimeNs = 0n } = lookUpSelf(this.#directory(path) ?? new Uint8Array());
      return { type: 'directory', mode, mtimeNs };
    }
    if (symlink) return { type: 'symlink', target: symlink.target };
    if (file?.type === 'fifo') return { type: 'fifo', mode: file.mode };
    if (file?.type !== 'file') return null;
    return { type: 'file', digest: file.digest, mode: file.mode, mtimeNs: file.mtimeNs ?? 0n };
  }

  /** As `presentTimeNs`. */
  timeNs(path: string): bigint | undefined {
    const entry = path === '' ? undefined : this.#entry(path);
    if (path === '' || entry?.directories[0])
      return lookUpSelf(this.#directory(path) ?? new Uint8Array()).mtimeNs ?? 0n;
    const file = entry?.files[0];
    if (file) return file.type === 'file' ? (file.mtimeNs ?? 0n) : undefined;
    const symlink = entry?.symlinks[0];
    return symlink && (symlink.mtimeNs ?? 0n);
  }

  #directoryState(path: string, flags: number): string {
    const blob = this.#directory(path) ?? new Uint8Array();
    const { mode = 0o755, mtimeNs } = lookUpSelf(blob);
    return directoryState(
      { mode, mtimeNs },
      flags,
      flags & ObservationFlag.listed ? namesIn(blob) : undefined,
    );
  }

  #entry(path: string) {
    const slash = path.lastIndexOf('/');
    const parent = this.#directory(path.slice(0, Math.max(0, slash)));
    return parent && lookUpEntry(parent, path.slice(slash + 1));
  }

  /** undefined: no directory there. */
  #directory(path: string): Uint8Array | undefined {
    if (this.#directories.has(path)) return this.#directories.get(path);
    const digest = this.#entry(path)?.directories[0]?.digest;
    const blob = digest && this.#blob(digest);
    this.#directories.set(path, blob);
    return blob;
  }

  #blob(digest: Digest): Uint8Array | undefined {
    const blob = this.#load(digest);
    if (!blob) this.isIncomplete = true;
    return blob;
  }
}

const none: Overwritten = new Map();

function absentState(path: string, flags: number, overwritten: Overwritten): string {
  return overwritten.has(path) && !(flags & ObservationFlag.read) ? 'overwritten' : 'absent';
}

interface Timed {
  mtimeNs?: bigint | undefined;
}

function fileState(
  path: string,
  flags: number,
  file: Timed & { mode: number; digest: Digest },
  { overwritten, nowNs }: Viewpoint,
): string {
  const { mode, digest, mtimeNs = 0n } = file;
  if (!(flags & ObservationFlag.read) && overwritten.get(path) === mode) return 'overwritten';
  const size = digest.sizeBytes === 0 ? 'empty' : 'some';
  const content = flags & CountFlag.overwritten ? size : digest.hash;
  const isOfFuture = nowNs !== undefined && mtimeNs > nowNs + clockSlackNs;
  return `f ${mode} ${content}${timeOf(file, flags)}${isOfFuture ? ' future' : ''}`;
}

function directoryState(
  directory: Timed & { mode: number },
  flags: number,
  names: string | undefined,
): string {
  const shown = names === undefined ? '' : ` ${names}`;
  return `d ${directory.mode}${shown}${timeOf(directory, flags)}`;
}

function timeOf({ mtimeNs = 0n }: Timed, flags: number): string {
  return flags & CountFlag.exactTime ? ` @${mtimeNs}` : '';
}

const namesByDirectory = new WeakMap<DirectoryNode, { digest: Digest | undefined; names: string }>();

/** Hash of the names and types in a directory, that of `namesIn` for its blob. Kept while the directory stays. */
function namesOf(directory: DirectoryNode): string {
  const known = namesByDirectory.get(directory);
  if (known && !directory.isChanged && known.digest === directory.digest) return known.names;
  const entries: string[] = [];
  for (const [name, { type }] of directory.children) if (type !== 'hidden') entries.push(`${name}/${type}`);
  const names = hashNames(entries);
  if (!directory.isChanged) namesByDirectory.set(directory, { digest: directory.digest, names });
  return names;
}

/** Hash of the names and types in a Directory blob. */
export function namesIn(blob: Uint8Array): string {
  const { files, directories, symlinks } = decodeDirectory(blob);
  return hashNames([
    ...files.map(({ name, type }) => `${name}/${type}`),
    ...directories.map(({ name }) => `${name}/directory`),
    ...symlinks.map(({ name }) => `${name}/symlink`),
  ]);
}

function hashNames(entries: string[]): string {
  return digestOf(encodeBytes(entries.sort().join('\0'))).hash;
}
