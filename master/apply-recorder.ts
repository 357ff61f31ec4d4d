import { type BigIntStats, lstatSync } from 'node:fs';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { parentPath } from './apply-plan.ts';
import type { SafePaths } from './safe-paths.ts';
import type { Snapshot } from './snapshot.ts';
import { DirectoryNode, FileNode, type Node, pathOf } from './tree-node.ts';

export interface ApplyRecorderOptions {
  snapshot: Snapshot;
  paths: SafePaths;
  /** See `ApplyOptions`. */
  isFineGrained: boolean;
}

/** Writes into the snapshot what `Apply` has just done on disk, with the signatures that it has there. */
export class ApplyRecorder {
  /** Files that were brought into place. One that was recorded again since is not part of the tree any more. */
  readonly files: FileNode[] = [];
  readonly #options: ApplyRecorderOptions;

  constructor(options: ApplyRecorderOptions) {
    this.#options = options;
  }

  file(path: string, digest: Digest): void {
    this.entry(path, (name, stats) => {
      const file = new FileNode(name, stats, digest);
      file.isRacy = !this.#options.isFineGrained;
      this.#twins(file, stats);
      this.files.push(file);
      return file;
    });
  }

  entry(path: string, make: (name: string, stats: BigIntStats) => Node): void {
    const parent = this.#parentOf(path);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const stats = lstatSync(fsPath(this.#options.paths.of(path)), { bigint: true });
    this.#options.snapshot.attach(parent, make(name, stats));
  }

  /** A directory that was made just now, maybe by somebody else: what the snapshot knows of it stays. */
  newDirectory(path: string): void {
    const present = this.#options.snapshot.lookup(path);
    const { ino } = lstatSync(fsPath(this.#options.paths.of(path)), { bigint: true });
    if (present?.type === 'directory' && present.inode === Number(ino)) return;
    this.entry(path, (name, stats) => {
      const directory = new DirectoryNode(name, stats);
      directory.mustBeListed = true;
      return directory;
    });
  }

  removal(path: string): void {
    const node = this.#options.snapshot.lookup(path);
    if (node) this.#options.snapshot.detach(node);
  }

  /** The mode and times of a directory. */
  directory(path: string): void {
    const node = this.#options.snapshot.lookup(path);
    const stats = this.#lstatIfThere(() => this.#options.paths.directory(path));
    if (stats && node?.type === 'directory') node.update(stats);
  }

  /** Other names of a file that was written in place or linked show its new state as well. */
  #twins(file: FileNode, stats: BigIntStats): void {
    if (file.linkCount < 2) return;
    const { snapshot, paths } = this.#options;
    for (const other of snapshot.namesOf(file.inode)) {
      const otherStats = this.#lstatIfThere(() => paths.of(pathOf(other)));
      if (otherStats?.ino !== stats.ino || otherStats.dev !== stats.dev) continue;
      const twin = new FileNode(other.name, stats, file.digest);
      twin.isRacy = file.isRacy;
      snapshot.attach(other.parent!, twin);
    }
  }

  #lstatIfThere(place: () => string): BigIntStats | undefined {
    try {
      return lstatSync(fsPath(place()), { bigint: true });
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  #parentOf(path: string): DirectoryNode {
    const parent = this.#options.snapshot.lookup(parentPath(path));
    if (parent?.type === 'directory') return parent;
    throw new AppError(`Cannot apply "${path}": its directory was removed meanwhile`, {
      code: 'apply-failed',
    });
  }
}
