import { type BigIntStats, lstatSync } from 'node:fs';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { Breather } from './breather.ts';
import type { FileHasher, HashOptions } from './file-hasher.ts';
import { listNames, readTarget } from './list-names.ts';
import { isTemporary } from './reserved-names.ts';
import type { Snapshot } from './snapshot.ts';
import { socketName } from './socket-path.ts';
import {
  DirectoryNode,
  FifoNode,
  FileNode,
  filesBelow,
  HiddenNode,
  type Node,
  pathOf,
  SymlinkNode,
} from './tree-node.ts';

export interface RefreshOptions {
  projectRoot: string;
  snapshot: Snapshot;
  hasher: FileHasher;
  /** Paths below the root that are no part of the project, with everything below them. */
  excluded: readonly string[];
  /** Something to tell the user once, e.g. that a file cannot be read. */
  onNotice: (message: string) => void;
  /** Told while many files are being read, from the first second on. */
  onProgress?: ((readFiles: number, totalFiles: number) => void) | undefined;
  /** Which of some files, absolute paths, somebody has open for writing. */
  findWriters?: ((paths: readonly string[]) => Promise<readonly string[]>) | undefined;
}

/** As many entries of the stat cache are in memory at once: 4 MB. */
const chunkFiles = 10_000;
const firstProgressMs = 1000;
const progressIntervalMs = 250;

/**
 * Brings a snapshot up to date with the disk. One refresh runs at a time (the caller sees to that), while `apply` may
 * edit the snapshot at any `await`: therefore each directory is listed and compared in one synchronous piece, and a
 * node that was replaced meanwhile is left alone.
 */
export class Refresh {
  readonly #root: string;
  readonly #snapshot: Snapshot;
  readonly #hasher: FileHasher;
  readonly #excluded: ReadonlySet<string>;
  readonly #notice: (message: string) => void;
  readonly #onProgress: RefreshOptions['onProgress'];
  readonly #told = new Set<string>();
  /** inode → link count for which a search of the whole tree found no further names. */
  readonly #searched = new Map<number, number>();
  readonly #findWriters: NonNullable<RefreshOptions['findWriters']>;
  /** Files that somebody had open for writing when they were read, and may have mapped: they change without looking different. */
  readonly #heldOpen = new Set<FileNode>();
  #number = 0;

  constructor(options: RefreshOptions) {
    this.#root = options.projectRoot;
    this.#snapshot = options.snapshot;
    this.#hasher = options.hasher;
    this.#excluded = new Set(options.excluded);
    this.#notice = options.onNotice;
    this.#onProgress = options.onProgress;
    this.#findWriters = options.findWriters ?? (async () => []);
  }

  /** Compares the whole tree with the disk, reading only files whose signature is new. */
  async everything(): Promise<void> {
    this.#number += 1;
    const toHash: FileNode[] = [];
    this.#snapshot.root.update(lstatSync(fsPath(this.#root), { bigint: true }));
    await this.#list([this.#snapshot.root], toHash);
    await this.#hashBelow(this.#snapshot.root, this.#progress(toHash.length));
  }

  /**
   * Compares what may have changed: paths below the root, in any order, also repeated.
   *
   * @param written those of them that are read again whatever their times say: a store to a page that is dirty already
   * gives no new one
   */
  async changed(paths: readonly string[], written: ReadonlySet<string> = new Set()): Promise<void> {
    this.#number += 1;
    const toHash: FileNode[] = [];
    const toList: DirectoryNode[] = [];
    const parents = new Set<DirectoryNode>();
    for (const path of paths) {
      const place = this.#place(path);
      if (!place) continue;
      this.#examine(place.parent, place.name, toHash, toList, written.has(path));
      parents.add(place.parent);
    }
    for (const parent of parents) this.#updateDirectory(parent);
    await this.#list(toList, toHash);
    this.#examineOtherNames(toHash, toList);
    await this.#list(toList, toHash);
    await this.#hash(toHash);
  }

  /** The files that may change without an event: through a name outside of the project, or through a mapping. */
  get unwatched(): readonly FileNode[] {
    return [...this.#snapshot.linkedFiles(), ...this.#heldOpen].filter(({ parent }) => parent);
  }

  /** Compares these. */
  async changedUnwatched(): Promise<void> {
    await this.changed(this.unwatched.map(pathOf));
  }

  /** The deepest known directory on the way to `path`, and the name in it to look at. */
  #place(path: string): { parent: DirectoryNode; name: string } | undefined {
    if (path === '') {
      this.#updateDirectory(this.#snapshot.root);
      return undefined;
    }
    let parent = this.#snapshot.root;
    const names = path.split('/');
    for (const [depth, name] of names.entries()) {
      // A directory listed in this refresh was listed after all the events of this refresh.
      if (parent.listedInRefresh === this.#number) return undefined;
      const child = parent.children.get(name);
      if (depth === names.length - 1 || child?.type !== 'directory') return { parent, name };
      parent = child;
    }
    return undefined;
  }

  #updateDirectory(directory: DirectoryNode): void {
    if (directory !== this.#snapshot.root && !directory.parent) return;
    const stats = this.#lstat(this.#absolute(pathOf(directory)));
    if (stats?.isDirectory() && Number(stats.ino) === directory.inode) directory.update(stats);
  }

  /** Lists directories, and those found in them, and compares all entries. Empties `directories`. */
  async #list(directories: DirectoryNode[], toHash: FileNode[]): Promise<void> {
    const breather = new Breather();
    for (let directory = directories.pop(); directory; directory = directories.pop()) {
      if (breather.isDue) await breather.breathe();
      if (directory !== this.#snapshot.root && !directory.parent) continue;
      directory.listedInRefresh = this.#number;
      directory.mustBeListed = false;
      const names = this.#namesIn(directory);
      if (!names) continue;
      if (directory.children.size > 0) {
        const present = new Set(names);
        for (const child of [...directory.children.values()]) {
          if (!present.has(child.name)) this.#snapshot.detach(child);
        }
      }
      for (const name of names) this.#examine(directory, name, toHash, directories);
    }
  }

  /** undefined: it is gone, or hidden now because we may not list it. */
  #namesIn(directory: DirectoryNode): string[] | undefined {
    const path = pathOf(directory);
    try {
      return listNames(this.#absolute(path));
    } catch (error) {
      if (isErrno(error, 'EACCES')) this.#hide(directory, path);
      else if (isErrno(error, 'ENOENT', 'ENOTDIR')) this.#snapshot.detach(directory);
      else throw error;
      return undefined;
    }
  }

  /** Compares one entry with the disk: new files go to `toHash`, new directories to `toList`. */
  #examine(
    parent: DirectoryNode,
    name: string,
    toHash: FileNode[],
    toList: DirectoryNode[],
    mustRead = false,
  ): void {
    const parentPath = pathOf(parent);
    const path = parentPath === '' ? name : `${parentPath}/${name}`;
    if (isTemporary(name)) return;
    const known = parent.children.get(name);
    const stats = this.#lstat(this.#absolute(path));
    if (!stats) {
      if (known) this.#snapshot.detach(known);
      return;
    }
    if (name === socketName || this.#excluded.has(path)) {
      if (known?.type !== 'hidden')
        this.#snapshot.attach(parent, new HiddenNode(name, stats, { isOurs: true }));
    } else if (stats.isFile()) {
      const isTrusted = known?.type === 'file' && known.digest && !known.isRacy && !mustRead;
      if (isTrusted && known.matches(stats)) return;
      if (known?.type === 'hidden' && known.ctimeNs === stats.ctimeNs) return;
      const file = new FileNode(name, stats);
      this.#snapshot.attach(parent, file);
      toHash.push(file);
    } else if (stats.isDirectory()) {
      if (known?.type === 'directory' && known.inode === Number(stats.ino)) {
        const isListed = parent.listedInRefresh === this.#number;
        // A directory whose own attributes changed may have been away and come back with other content.
        if (known.update(stats) || isListed || known.mustBeListed) toList.push(known);
      } else if (known?.type !== 'hidden' || known.ctimeNs !== stats.ctimeNs) {
        const directory = new DirectoryNode(name, stats);
        this.#snapshot.attach(parent, directory);
        toList.push(directory);
      }
    } else {
      this.#replaceOther(parent, name, path, stats, known);
    }
  }

  #replaceOther(
    parent: DirectoryNode,
    name: string,
    path: string,
    stats: BigIntStats,
    known: Node | undefined,
  ): void {
    if (stats.isSymbolicLink()) {
      const target = this.#target(path);
      if (target === undefined) return;
      if (known?.type === 'symlink' && known.target === target && known.ctimeNs === stats.ctimeNs) return;
      this.#snapshot.attach(parent, new SymlinkNode(name, stats, target));
    } else if (stats.isFIFO()) {
      const fifo = new FifoNode(name, stats);
      if (known?.type !== 'fifo' || known.mode !== fifo.mode) this.#snapshot.attach(parent, fifo);
    } else if (known?.type !== 'hidden') {
      this.#snapshot.attach(parent, new HiddenNode(name, stats));
    }
  }

  /**
   * A write through one name of a file reaches its other names without an event for them: looks at those, too. The
   * link count of a name that was there first went up without an event as well, so such names are found by inode.
   */
  #examineOtherNames(toHash: FileNode[], toList: DirectoryNode[]): void {
    const linked = toHash.filter((file) => file.linkCount > 1);
    if (linked.length === 0) return;
    const others = new Set<FileNode>();
    const wanted = new Map<number, number>();
    for (const { inode, linkCount } of linked) {
      const names = this.#snapshot.namesOf(inode);
      for (const file of names) others.add(file);
      if (names.length < linkCount && this.#searched.get(inode) !== linkCount) wanted.set(inode, linkCount);
    }
    if (wanted.size > 0) {
      for (const file of filesBelow(this.#snapshot.root)) {
        if (wanted.has(file.inode)) others.add(file);
      }
      for (const [inode, linkCount] of wanted) this.#searched.set(inode, linkCount);
    }
    const fresh = new Set(linked);
    for (const file of others) {
      if (file.parent && !fresh.has(file)) this.#examine(file.parent, file.name, toHash, toList, true);
    }
  }

  /** Gives all files below a directory their digests that have none, from the stat cache as far as possible. */
  async #hashBelow(directory: DirectoryNode, onRead: () => void): Promise<void> {
    const children = [...directory.children.values()];
    const directories = children.filter((child) => child.type === 'directory');
    const below = withoutDigest(directory, chunkFiles + 1);
    const path = this.#absolute(pathOf(directory));
    if (below.length <= chunkFiles || directories.length === 0) {
      if (below.length === 0) return;
      const files = directories.length === 0 ? withoutDigest(directory) : below;
      return this.#hash(files, { known: await this.#hasher.knownBelow(path), onRead });
    }
    for (const child of directories) await this.#hashBelow(child, onRead);
    const own = children.filter((child) => child.type === 'file' && !child.digest) as FileNode[];
    const known = await this.#hasher.knownOf(own.map(({ name }) => `${path}/${name}`));
    await this.#hash(own, { known, onRead });
  }

  #progress(totalFiles: number): () => void {
    let count = 0;
    let lastMs = performance.now() + firstProgressMs - progressIntervalMs;
    return () => {
      count += 1;
      if (performance.now() - lastMs < progressIntervalMs) return;
      lastMs = performance.now();
      this.#onProgress?.(count, totalFiles);
    };
  }

  /** Gives all these files their digests. */
  async #hash(files: readonly FileNode[], options: HashOptions = {}): Promise<void> {
    for (let pending = files; pending.length > 0; ) {
      const toHash: FileNode[] = [];
      const toList: DirectoryNode[] = [];
      const read: FileNode[] = [];
      await this.#hasher.hash(
        pending.filter((file) => file.parent).map((file) => ({ file, path: this.#absolute(pathOf(file)) })),
        (file, outcome) => {
          const { parent } = file;
          // `apply` has replaced or removed it meanwhile.
          if (!parent) return;
          if (outcome.kind === 'hashed') {
            const node = outcome.stats ? new FileNode(file.name, outcome.stats) : file;
            if (node !== file) this.#snapshot.attach(parent, node);
            node.isRacy = outcome.isRacy;
            this.#snapshot.setDigest(node, outcome.digest);
            if (outcome.isRead) read.push(node);
          } else if (outcome.kind === 'unreadable') {
            this.#hide(file, pathOf(file));
          } else {
            this.#snapshot.detach(file);
            this.#examine(parent, file.name, toHash, toList);
          }
        },
        options,
      );
      await this.#distrustHeldOpen(read);
      await this.#list(toList, toHash);
      pending = toHash;
    }
  }

  /** Asked after they were read: who opens a file later and stores to it gives it a new time, or an event when he ends. */
  async #distrustHeldOpen(read: readonly FileNode[]): Promise<void> {
    for (const file of this.#heldOpen) if (!file.parent) this.#heldOpen.delete(file);
    const byPath = new Map(
      read.filter(({ parent }) => parent).map((file) => [this.#absolute(pathOf(file)), file]),
    );
    if (byPath.size === 0) return;
    for (const path of await this.#findWriters([...byPath.keys()])) {
      const file = byPath.get(path)!;
      file.isRacy = true;
      this.#heldOpen.add(file);
      this.#hasher.forget(path);
    }
  }

  #hide(node: FileNode | DirectoryNode, path: string): void {
    const { parent } = node;
    const stats = this.#lstat(this.#absolute(path));
    if (!parent || !stats) return this.#snapshot.detach(node);
    this.#snapshot.attach(parent, new HiddenNode(node.name, stats));
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.#notice(`"${path}" cannot be read: commands that run remotely do not see it`);
  }

  #absolute(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  #lstat(path: string): BigIntStats | undefined {
    try {
      return lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
      throw error;
    }
  }

  #target(path: string): string | undefined {
    try {
      return readTarget(this.#absolute(path));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'EINVAL', 'ENOTDIR')) return undefined;
      throw error;
    }
  }
}

/** Files below a directory that have no digest yet, at most so many. */
function withoutDigest(directory: DirectoryNode, maxCount = Number.POSITIVE_INFINITY): FileNode[] {
  const found: FileNode[] = [];
  for (const file of filesBelow(directory)) {
    if (file.digest) continue;
    found.push(file);
    if (found.length === maxCount) break;
  }
  return found;
}
