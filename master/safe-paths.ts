import { closeSync, constants, openSync } from 'node:fs';
import { fsPath } from '../runtime/byte-path.ts';
import { parentPath } from './apply-plan.ts';

/** Source: asm-generic/fcntl.h; Node does not name it. Needs no permission to read the directory. */
const O_PATH = 0o10000000;
const openDirectory = constants.O_DIRECTORY | constants.O_NOFOLLOW | O_PATH;

/**
 * Names for entries below a root that cannot lead out of it: each parent directory is opened from the one above it
 * without following symlinks, and the entry is named through the open descriptor, as in openat(2). The names are good
 * for any process of this user while this object is not disposed of.
 */
export class SafePaths implements Disposable {
  readonly #descriptors = new Map<string, number>();

  /** @param root absolute path */
  constructor(root: string) {
    this.#descriptors.set('', openSync(fsPath(root), openDirectory));
  }

  /**
   * A path to use with `lstat`, `rename`, …: anything that does not follow a symlink at its end.
   *
   * @param path below the root, not ""
   * @throws a system error when a parent is not there (ENOENT) or no directory (ENOTDIR, also for symlinks)
   */
  of(path: string): string {
    return this.inDirectory(parentPath(path), path.slice(path.lastIndexOf('/') + 1));
  }

  /** The same for a name in a directory, "" being the root. */
  inDirectory(directory: string, name: string): string {
    return `/proc/${process.pid}/fd/${this.#open(directory)}/${name}`;
  }

  /** The directory itself. */
  directory(path: string): string {
    return `/proc/${process.pid}/fd/${this.#open(path)}/.`;
  }

  /** To be called before a directory is removed or replaced. */
  forget(path: string): void {
    const descriptor = this.#descriptors.get(path);
    if (descriptor === undefined) return;
    this.#descriptors.delete(path);
    closeSync(descriptor);
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }

  #open(path: string): number {
    const known = this.#descriptors.get(path);
    if (known !== undefined) return known;
    const descriptor = openSync(fsPath(this.of(path)), openDirectory);
    this.#descriptors.set(path, descriptor);
    return descriptor;
  }
}
