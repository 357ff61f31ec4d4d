import type { BigIntStats } from 'node:fs';
import type { Digest } from '../protocol/digest.ts';
import type { SplicedDirectory } from './spliced-directory.ts';

/**
 * The nodes of the project's tree in memory. A project may have 200,000 of them, so they hold few fields, each node
 * class has one shape, and a change replaces the node: whoever holds one sees what it stood for.
 */
export type Node = FileNode | DirectoryNode | SymlinkNode | FifoNode | HiddenNode;

/** A regular file. */
export class FileNode {
  readonly type = 'file';
  readonly name: string;
  /** undefined: not part of the tree (any more). */
  parent: DirectoryNode | undefined;
  /** Permission bits, 07777. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly sizeBytes: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  /** Unique per device only: good for "may be the same file", never for "is". */
  readonly inode: number;
  readonly linkCount: number;
  /** undefined only while a refresh is running: not hashed yet. */
  digest: Digest | undefined;
  /** The content may have changed once more without changing the signature: trust no equal signature. */
  isRacy = false;

  constructor(name: string, stats: BigIntStats, digest?: Digest) {
    this.name = name;
    this.mode = Number(stats.mode) & 0o7777;
    this.mtimeNs = stats.mtimeNs;
    this.ctimeNs = stats.ctimeNs;
    this.sizeBytes = Number(stats.size);
    this.blocks = Number(stats.blocks);
    this.inode = Number(stats.ino);
    this.linkCount = Number(stats.nlink);
    this.digest = digest;
  }

  /** Whether `stats` are of this very file, not written or changed since. */
  matches(stats: BigIntStats): boolean {
    return (
      this.ctimeNs === stats.ctimeNs &&
      this.mtimeNs === stats.mtimeNs &&
      this.sizeBytes === Number(stats.size) &&
      this.inode === Number(stats.ino) &&
      this.mode === (Number(stats.mode) & 0o7777) &&
      stats.isFile()
    );
  }
}

export class DirectoryNode {
  readonly type = 'directory';
  readonly name: string;
  parent: DirectoryNode | undefined;
  mode: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** As stat(2) tells it. */
  sizeBytes: number;
  blocks: number;
  readonly inode: number;
  linkCount: number;
  readonly children = new Map<string, Node>();
  /** How many of them are hidden, and not our own. */
  concealedCount = 0;
  /** Of its last encoding; undefined before the first. */
  digest: Digest | undefined;
  /** It, or something below it, changed since its last encoding. Its ancestors are changed as well then. */
  isChanged = true;
  /** Children that are not what they were at the last encoding. */
  readonly changedNames = new Set<string>();
  /** The last encoding of a large directory. */
  spliced: SplicedDirectory | undefined;
  /** Made, or found, by `apply`: somebody may have put entries into it before the watcher came to watch it. */
  mustBeListed = false;
  /** The refresh that listed it last: events of the same refresh below it are stale. */
  listedInRefresh = 0;

  constructor(name: string, stats: BigIntStats) {
    this.name = name;
    this.inode = Number(stats.ino);
    this.linkCount = Number(stats.nlink);
    this.mode = Number(stats.mode) & 0o7777;
    this.mtimeNs = stats.mtimeNs;
    this.ctimeNs = stats.ctimeNs;
    this.sizeBytes = Number(stats.size);
    this.blocks = Number(stats.blocks);
  }

  /** Takes over mode, times and size. @returns whether anything of it changed */
  update(stats: BigIntStats): boolean {
    const mode = Number(stats.mode) & 0o7777;
    if (this.ctimeNs === stats.ctimeNs && this.mtimeNs === stats.mtimeNs && this.mode === mode) return false;
    markChanged(this);
    this.linkCount = Number(stats.nlink);
    this.mode = mode;
    this.mtimeNs = stats.mtimeNs;
    this.ctimeNs = stats.ctimeNs;
    this.sizeBytes = Number(stats.size);
    this.blocks = Number(stats.blocks);
    return true;
  }
}

export class SymlinkNode {
  readonly type = 'symlink';
  readonly name: string;
  parent: DirectoryNode | undefined;
  readonly target: string;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly blocks: number;
  readonly inode: number;
  readonly linkCount: number;

  constructor(name: string, stats: BigIntStats, target: string) {
    this.blocks = Number(stats.blocks);
    this.name = name;
    this.target = target;
    this.mtimeNs = stats.mtimeNs;
    this.ctimeNs = stats.ctimeNs;
    this.inode = Number(stats.ino);
    this.linkCount = Number(stats.nlink);
  }
}

export class FifoNode {
  readonly type = 'fifo';
  readonly name: string;
  parent: DirectoryNode | undefined;
  readonly mode: number;

  constructor(name: string, stats: BigIntStats) {
    this.name = name;
    this.mode = Number(stats.mode) & 0o7777;
  }
}

/**
 * What stands on disk but is not part of the mirrored tree: sockets, devices, our own state, and files and directories
 * that we may not read. Jobs do not see it; a manifest that would replace or remove it is a conflict.
 */
export class HiddenNode {
  readonly type = 'hidden';
  readonly name: string;
  parent: DirectoryNode | undefined;
  readonly ctimeNs: bigint;
  /** Not the project's but our own: without us it would not be there. */
  readonly isOurs: boolean;

  constructor(name: string, stats: BigIntStats, { isOurs = false } = {}) {
    this.name = name;
    this.isOurs = isOurs;
    this.ctimeNs = stats.ctimeNs;
  }
}

/** This directory and its ancestors are to be encoded again. */
export function markChanged(directory: DirectoryNode): void {
  let node = directory;
  while (!node.isChanged) {
    node.isChanged = true;
    if (!node.parent) break;
    node.parent.changedNames.add(node.name);
    node = node.parent;
  }
}

/** Path below the project root; "" is the root itself. */
export function pathOf(node: Node): string {
  let path = node.name;
  for (let parent = node.parent; parent?.parent; parent = parent.parent) path = `${parent.name}/${path}`;
  return path;
}

export function* filesBelow(directory: DirectoryNode): Generator<FileNode> {
  for (const child of directory.children.values()) {
    if (child.type === 'file') yield child;
    else if (child.type === 'directory') yield* filesBelow(child);
  }
}
