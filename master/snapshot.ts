import type { BigIntStats } from 'node:fs';
import { emptyDigest } from '../cas/digest.ts';
import type { Digest } from '../protocol/digest.ts';
import { DirectoryBlobs } from './directory-blobs.ts';
import { encodeNode } from './encode-node.ts';
import { FileIndex } from './file-index.ts';
import { DirectoryNode, type FileNode, markChanged, type Node } from './tree-node.ts';

export interface SnapshotOptions {
  /** Of the project's root directory. */
  stats: BigIntStats;
  /** Keeps a Directory blob of a former tree that memory has no room for any more. */
  spill: (digest: Digest, bytes: Buffer) => void;
  /** 128 MiB unless told. */
  maxFormerBytes?: number;
}

/**
 * The project's tree now, in memory: edits in, root digests out. Knows nothing of the disk; `Refresh` reads it from
 * there and `apply` writes both. All methods are synchronous and cost what they touch.
 */
export class Snapshot {
  readonly root: DirectoryNode;
  readonly #blobs: DirectoryBlobs;
  readonly #byHash = new FileIndex<string>();
  readonly #byInode = new FileIndex<number>();
  #fileCount = 0;

  constructor({ stats, spill, maxFormerBytes = 128 * 1024 * 1024 }: SnapshotOptions) {
    this.root = new DirectoryNode('', stats);
    this.#blobs = new DirectoryBlobs({ maxFormerBytes, spill });
  }

  /** Number of regular files. */
  get fileCount(): number {
    return this.#fileCount;
  }

  /** What stands at a path below the root, "" being the root; undefined: nothing. */
  lookup(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    if (path === '') return node;
    for (let start = 0; ; ) {
      const slash = path.indexOf('/', start);
      if (node?.type !== 'directory') return undefined;
      node = node.children.get(slash < 0 ? path.slice(start) : path.slice(start, slash));
      if (slash < 0) return node;
      start = slash + 1;
    }
  }

  /** Whether something stands at a path that jobs do not see although it is not ours. */
  conceals(path: string): boolean {
    const node = this.lookup(path);
    return node?.type === 'hidden' && !node.isOurs;
  }

  /** Whether names in a directory are hidden from jobs although they are not ours. */
  concealsNamesIn(path: string): boolean {
    const node = this.lookup(path);
    return node?.type === 'directory' && node.concealedCount > 0;
  }

  /** Puts `node` into `parent`, in place of whatever had its name. */
  attach(parent: DirectoryNode, node: Node): void {
    const former = parent.children.get(node.name);
    if (former) this.detach(former);
    node.parent = parent;
    parent.children.set(node.name, node);
    if (node.type === 'hidden' && !node.isOurs) parent.concealedCount += 1;
    parent.changedNames.add(node.name);
    markChanged(parent);
    if (node.type !== 'file') return;
    this.#fileCount += 1;
    if (node.digest && node.digest.sizeBytes > 0) this.#byHash.add(node.digest.hash, node);
    if (node.linkCount > 1) this.#byInode.add(node.inode, node);
  }

  /** Takes a node, with everything below it, out of the tree. */
  detach(node: Node): void {
    const { parent } = node;
    if (!parent) return;
    parent.children.delete(node.name);
    if (node.type === 'hidden' && !node.isOurs) parent.concealedCount -= 1;
    parent.changedNames.add(node.name);
    markChanged(parent);
    this.#forget(node);
  }

  /** Sets the digest of a file that was attached without one. */
  setDigest(file: FileNode, digest: Digest): void {
    file.digest = digest.sizeBytes === 0 ? emptyDigest : digest;
    if (digest.sizeBytes > 0) this.#byHash.add(digest.hash, file);
  }

  /** A file that has this content, as far as is known. */
  fileWith({ hash }: Digest): FileNode | undefined {
    return this.#byHash.first(hash);
  }

  /** The known names of what may be one file with several: only files with a link count above 1 are found. */
  namesOf(inode: number): readonly FileNode[] {
    return this.#byInode.get(inode);
  }

  /** All known names of files that have several, here or elsewhere. */
  linkedFiles(): FileNode[] {
    return this.#byInode.all();
  }

  /** Encodes what changed since the last time. Every file must have its digest. */
  rootDigest(): Digest {
    return this.root.isChanged ? this.#encode(this.root) : this.root.digest!;
  }

  /** The encoded Directory of this tree or a recent former one. */
  directoryBlob(digest: Digest): Buffer | undefined {
    return this.#blobs.get(digest);
  }

  #encode(directory: DirectoryNode): Digest {
    for (const name of directory.changedNames) {
      const child = directory.children.get(name);
      if (child?.type === 'directory' && child.isChanged) this.#encode(child);
    }
    const former = directory.digest;
    const bytes = encodeNode(directory);
    const digest = directory.digest!;
    this.#blobs.add(digest, bytes);
    if (former) this.#blobs.release(former);
    return digest;
  }

  #forget(node: Node): void {
    node.parent = undefined;
    if (node.type === 'file') {
      this.#fileCount -= 1;
      if (node.digest) this.#byHash.delete(node.digest.hash, node);
      if (node.linkCount > 1) this.#byInode.delete(node.inode, node);
    } else if (node.type === 'directory') {
      if (node.digest) this.#blobs.release(node.digest);
      for (const child of node.children.values()) this.#forget(child);
    }
  }
}
