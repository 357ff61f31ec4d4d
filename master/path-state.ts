import { digestOf } from '../cas/digest.ts';
import { decodeDirectory } from '../cas/directory.ts';
import { lookUpEntry, lookUpSelf } from '../cas/directory-lookup.ts';
import type { Digest } from '../protocol/digest.ts';
import { type Observation, ObservationFlag, type TreeNode } from '../protocol/job.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import type { Snapshot } from './snapshot.ts';
import type { DirectoryNode } from './tree-node.ts';

/*
 * The state of a path as far as a command that observed it in a certain way can tell, times aside, as text:
 *
 *     absent               f <mode> <size>   found        d <mode>           found          l <target>
 *     p <mode>             f <mode> <hash>   read         d <mode> <names>   listed         overwritten
 *
 * Two states are equal exactly if their texts are. "overwritten": nothing, or an ordinary file of which the command
 * only wants the name (`overwrittenOutputs`).
 */

/** Paths that are overwritten unseen, with the mode a new file gets. */
export type Overwritten = ReadonlyMap<string, number>;

/** The state of a path now; undefined when it cannot be told just now. */
export function presentState(
  snapshot: Snapshot,
  { path, flags }: Observation,
  overwritten: Overwritten,
): string | undefined {
  const node = snapshot.lookup(path);
  switch (node?.type) {
    case undefined:
    case 'hidden':
      return absentState(path, flags, overwritten);
    case 'file': {
      const { mode, digest, linkCount } = node;
      if (!digest) return undefined;
      // Of a file with further names these would show the new content as well.
      return fileState({ path, flags, mode, digest }, linkCount === 1 ? overwritten : none);
    }
    case 'directory':
      return directoryState(node.mode, flags & ObservationFlag.listed ? namesOf(node) : undefined);
    case 'symlink':
      return `l ${node.target}`;
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

  state({ path, flags }: Observation, overwritten: Overwritten): string {
    if (path === '') return this.#directoryState('', flags);
    const entry = this.#entry(path);
    const file = entry?.files[0];
    const symlink = entry?.symlinks[0];
    if (entry?.directories[0]) return this.#directoryState(path, flags);
    if (symlink) return `l ${symlink.target}`;
    if (file?.type === 'file')
      return fileState({ path, flags, mode: file.mode, digest: file.digest }, overwritten);
    if (file?.type === 'fifo') return `p ${file.mode}`;
    return absentState(path, flags, overwritten);
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

  /** When the file there was changed last; undefined for anything else. */
  mtimeNs(path: string): bigint | undefined {
    return path === '' ? undefined : this.#entry(path)?.files[0]?.mtimeNs;
  }

  #directoryState(path: string, flags: number): string {
    const blob = this.#directory(path) ?? new Uint8Array();
    return directoryState(
      lookUpSelf(blob).mode ?? 0o755,
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

function fileState(
  { path, flags, mode, digest }: { path: string; flags: number; mode: number; digest: Digest },
  overwritten: Overwritten,
): string {
  if (flags & ObservationFlag.read) return `f ${mode} ${digest.hash}`;
  return overwritten.get(path) === mode ? 'overwritten' : `f ${mode} ${digest.sizeBytes}`;
}

function directoryState(mode: number, names: string | undefined): string {
  return names === undefined ? `d ${mode}` : `d ${mode} ${names}`;
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
