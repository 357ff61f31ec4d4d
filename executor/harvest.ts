import { constants } from 'node:fs';
import { equalDigests } from '../cas/digest.ts';
import type { Digest } from '../protocol/digest.ts';
import { isDuringRun } from '../protocol/during-run.ts';
import { type Change, type Observation, ObservationFlag, type TreeNode } from '../protocol/job.ts';
import { compareBytes } from '../runtime/byte-path.ts';
import { fail, type Result, succeed } from '../runtime/failure.ts';
import { type UpperEntry, UpperFlag } from './box-messages.ts';

/** The tree that a job started from. Paths are relative to its root, "" is the root itself. */
export interface BaseTree {
  /** What stands at a path; null: nothing, also when a parent is missing or no directory. */
  node(path: string): Promise<TreeNode | null>;
  /** The names in a directory, any order; none when there is no directory at the path. */
  names(path: string): Promise<string[]>;
}

export interface HarvestOptions {
  base: BaseTree;
  /** Of the content of a regular file in the layer. */
  digestOf: (entry: UpperEntry) => Digest;
  /** When the command ran: a directory's time within is a by-product of its entries. */
  startedNs: bigint;
  finishedNs: bigint;
}

export interface Harvest {
  /** Sorted by path bytes. */
  changes: Change[];
  /** Paths whose state went into the changes although the command never looked: inside renamed directories. Sorted. */
  observed: Observation[];
}

type DirectoryState = Extract<TreeNode, { type: 'directory' }>;

interface UpperNode {
  /** Only the root has none, unless the layer lists it. */
  entry?: UpperEntry;
  children: Map<string, UpperNode>;
}

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO } = constants;

/**
 * What the writable layer of an overlay holds → what the command changed, as seen in the merged tree. Pure.
 *
 * A directory of the layer shows the entries of the layer and those of a directory below: the one at the same path
 * unless it is opaque (none) or renamed (the one it was renamed from). Only where it is not the one at the same path
 * anything else than the layer's own entries can have changed. Source: Documentation/filesystems/overlayfs.rst.
 *
 * @param entries of the layer, each after its parent directory
 * @returns failure `limit` for sockets, devices, and what has extended attributes or an ACL
 */
export async function harvest(
  entries: readonly UpperEntry[],
  options: HarvestOptions,
): Promise<Result<Harvest>> {
  const unsupported = entries.find(
    ({ flags, mode }) =>
      !(flags & UpperFlag.whiteout) && (!isSupported(mode) || flags & UpperFlag.attributes),
  );
  if (unsupported)
    return fail({ reason: 'limit', limit: { kind: 'unsupported-output', path: unsupported.path } });
  return succeed(await new Harvester(entries, options).run());
}

class Harvester {
  readonly #root: UpperNode = { children: new Map() };
  readonly #linkGroups: Map<bigint, number>;
  readonly #options: HarvestOptions;
  readonly #changes: Change[] = [];
  readonly #observed: Observation[] = [];

  constructor(entries: readonly UpperEntry[], options: HarvestOptions) {
    this.#options = options;
    this.#linkGroups = findLinkGroups(entries);
    for (const entry of entries) this.#add(entry);
  }

  async run(): Promise<Harvest> {
    if (this.#root.entry) await this.#visit('', this.#root, '');
    else await this.#visitChildren('', this.#root, '');
    for (const list of [this.#changes, this.#observed]) list.sort((a, b) => compareBytes(a.path, b.path));
    return { changes: this.#changes, observed: this.#observed };
  }

  #add(entry: UpperEntry): void {
    let node = this.#root;
    for (const name of entry.path === '' ? [] : entry.path.split('/')) {
      let child = node.children.get(name);
      if (!child) {
        child = { children: new Map() };
        node.children.set(name, child);
      }
      node = child;
    }
    node.entry = entry;
  }

  /** @param below where the base would show through, if anything there is a directory; null: nowhere */
  async #visit(path: string, node: UpperNode, below: string | null): Promise<void> {
    const { base, digestOf } = this.#options;
    const entry = node.entry!;
    if (entry.flags & UpperFlag.whiteout) return this.#remove(path);
    const before = await base.node(path);
    const mode = entry.mode & 0o7777;
    switch (entry.mode & S_IFMT) {
      case S_IFDIR: {
        const count = this.#changes.length;
        const lower = await this.#mergedWith(entry, below);
        await this.#visitChildren(path, node, lower);
        const { mtimeNs } = entry;
        const hasChangedEntry = this.#hasChangedSince(count, path);
        // Another directory of the same age in its place has an age of its own.
        const isKept =
          lower === path && before?.type === 'directory' && before.mtimeNs === mtimeNs && hasChangedEntry;
        const after: DirectoryState = { type: 'directory', mode, ...(!isKept && { mtimeNs }) };
        if (this.#isDirectoryChanged(before, after, hasChangedEntry)) this.#push(path, before, after);
        return;
      }
      case S_IFLNK:
        return this.#pushIfChanged(path, before, this.#symlink(entry));
      case S_IFIFO:
        return this.#pushIfChanged(path, before, { type: 'fifo', mode });
      default: {
        const after: TreeNode = { type: 'file', digest: digestOf(entry), mode, mtimeNs: entry.mtimeNs };
        const linkGroup = this.#linkGroups.get(entry.ino);
        if (linkGroup === undefined) this.#pushIfChanged(path, before, after);
        else this.#changes.push({ path, base: before, node: after, linkGroup });
      }
    }
  }

  async #visitChildren(path: string, node: UpperNode, lower: string | null): Promise<void> {
    const { base } = this.#options;
    for (const [name, child] of node.children) {
      await this.#visit(join(path, name), child, lower === null ? null : join(lower, name));
    }
    if (lower === path) return;
    const lowerNames = new Set(lower === null ? [] : await base.names(lower));
    for (const name of new Set([...lowerNames, ...(await base.names(path))])) {
      if (node.children.has(name)) continue;
      if (lowerNames.has(name)) await this.#move(join(lower!, name), join(path, name));
      else await this.#remove(join(path, name));
    }
    if (lower !== null) this.#observe(lower, ObservationFlag.listed);
  }

  /** The directory of the base whose entries show through a directory of the layer. */
  async #mergedWith(entry: UpperEntry, below: string | null): Promise<string | null> {
    if (entry.flags & UpperFlag.opaque) return null;
    let lower = below;
    if (entry.flags & UpperFlag.redirect) {
      if (entry.target.startsWith('/')) lower = entry.target.slice(1);
      else if (below !== null) lower = join(parentOf(below), entry.target);
    }
    if (lower === null) return null;
    return (await this.#options.base.node(lower))?.type === 'directory' ? lower : null;
  }

  /** What the base has at `from`, with all below, now stands at `to`: a parent of it was renamed. */
  async #move(from: string, to: string): Promise<void> {
    const { base } = this.#options;
    const node = await base.node(from);
    const before = await base.node(to);
    if (!node) throw new Error(`Internal error: "${from}" is listed in the base but not there`);
    this.#observe(from, ObservationFlag.found | observedContent[node.type]);
    if (node.type !== 'directory') return this.#pushIfChanged(to, before, node);
    const count = this.#changes.length;
    const names = new Set(await base.names(from));
    for (const name of names) await this.#move(join(from, name), join(to, name));
    for (const name of await base.names(to)) if (!names.has(name)) await this.#remove(join(to, name));
    if (!isSameNode(before, node) || this.#hasChangedSince(count, to)) this.#push(to, before, node);
  }

  /** Whether one of the changes from number `count` on is of an entry of `directory` itself. */
  #hasChangedSince(count: number, directory: string): boolean {
    return this.#changes.slice(count).some((change) => isDirectlyIn(change.path, directory));
  }

  async #remove(path: string): Promise<void> {
    const before = await this.#options.base.node(path);
    if (before) this.#push(path, before, null);
  }

  #observe(path: string, flags: number): void {
    this.#observed.push({ path, flags });
  }

  /** What was written, but is as it was, is no change only because of what stood there: that was an input. */
  #pushIfChanged(path: string, before: TreeNode | null, after: TreeNode): void {
    const { found, rewritten } = ObservationFlag;
    if (isSameNode(before, after)) this.#observe(path, found | rewritten | observedContent[after.type]);
    else this.#push(path, before, after);
  }

  /** Its time only where the command has set or kept it. */
  #symlink({ target, mtimeNs }: UpperEntry): TreeNode {
    return isDuringRun(mtimeNs, this.#options)
      ? { type: 'symlink', target }
      : { type: 'symlink', target, mtimeNs };
  }

  #push(path: string, base: TreeNode | null, node: TreeNode | null): void {
    this.#changes.push({ path, base, node });
  }

  /**
   * A directory is in the layer as soon as anything below it is. Its time then says nothing new when it lies within
   * the run and an entry was made, replaced or removed in it: making that change makes that time. When it is as it was all the
   * same, the command has written into files that were there, or has set it back.
   */
  #isDirectoryChanged(
    before: TreeNode | null,
    { mode, mtimeNs }: DirectoryState,
    hasChangedEntry: boolean,
  ): boolean {
    if (before?.type !== 'directory' || before.mode !== mode) return true;
    if (mtimeNs === undefined || before.mtimeNs === mtimeNs) return hasChangedEntry;
    return !(isDuringRun(mtimeNs, this.#options) && hasChangedEntry);
  }
}

const observedContent = {
  file: ObservationFlag.read,
  directory: ObservationFlag.listed,
  symlink: ObservationFlag.linkRead,
  fifo: 0,
} as const;

function isSupported(mode: number): boolean {
  return [S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO].includes(mode & S_IFMT);
}

/** Numbers for the regular files that have more than one name in the layer, by inode. */
function findLinkGroups(entries: readonly UpperEntry[]): Map<bigint, number> {
  const groups = new Map<bigint, number>();
  const seen = new Set<bigint>();
  for (const { mode, nlink, flags, ino } of entries) {
    if ((mode & S_IFMT) !== S_IFREG || nlink < 2 || flags & UpperFlag.whiteout) continue;
    if (seen.has(ino) && !groups.has(ino)) groups.set(ino, groups.size + 1);
    seen.add(ino);
  }
  return groups;
}

function isSameNode(a: TreeNode | null, b: TreeNode): boolean {
  if (a === null || a.type !== b.type) return false;
  if (b.type === 'symlink') {
    const { target, mtimeNs } = a as typeof b;
    return target === b.target && (b.mtimeNs === undefined || mtimeNs === b.mtimeNs);
  }
  if ((a as typeof b).mode !== b.mode) return false;
  if (b.type === 'fifo') return true;
  if ((a as typeof b).mtimeNs !== b.mtimeNs) return false;
  return b.type === 'directory' || equalDigests((a as typeof b).digest, b.digest);
}

function isDirectlyIn(path: string, directory: string): boolean {
  return path !== directory && parentOf(path) === directory;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
