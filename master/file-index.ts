import type { FileNode } from './tree-node.ts';

/** Files by a key of which one file has most: a set is only made for the second. */
export class FileIndex<K> {
  readonly #files = new Map<K, FileNode | Set<FileNode>>();

  add(key: K, file: FileNode): void {
    const present = this.#files.get(key);
    if (present === undefined) this.#files.set(key, file);
    else if (present instanceof Set) present.add(file);
    else if (present !== file) this.#files.set(key, new Set([present, file]));
  }

  delete(key: K, file: FileNode): void {
    const present = this.#files.get(key);
    if (present === file) this.#files.delete(key);
    else if (present instanceof Set && present.delete(file) && present.size === 0) this.#files.delete(key);
  }

  get(key: K): readonly FileNode[] {
    const present = this.#files.get(key);
    if (present === undefined) return [];
    return present instanceof Set ? [...present] : [present];
  }

  all(): FileNode[] {
    return [...this.#files.keys()].flatMap((key) => this.get(key));
  }

  first(key: K): FileNode | undefined {
    const present = this.#files.get(key);
    return present instanceof Set ? present.values().next().value : present;
  }
}
