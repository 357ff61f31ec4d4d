import { type Directory, decodeDirectory } from '../cas/directory.ts';
import { lookUpEntry, lookUpSelf } from '../cas/directory-lookup.ts';
import type { Digest } from '../protocol/digest.ts';
import type { TreeNode } from '../protocol/job.ts';
import type { BaseTree } from './harvest.ts';

/** A full tree by its root digest; remembers the blobs it went through, so make one per job. */
export class SnapshotTree implements BaseTree {
  readonly #root: Digest;
  readonly #load: (directory: Digest) => Promise<Uint8Array>;
  readonly #blobs = new Map<string, Promise<Uint8Array | undefined>>();

  /** @param load a Directory blob; its rejections are passed on */
  constructor(root: Digest, load: (directory: Digest) => Promise<Uint8Array>) {
    this.#root = root;
    this.#load = load;
  }

  async node(path: string): Promise<TreeNode | null> {
    if (path === '') return directoryNode((await this.#blob(''))!);
    const parent = await this.#blob(parentOf(path));
    const entry = parent && lookUpEntry(parent, path.slice(path.lastIndexOf('/') + 1));
    if (!entry) return null;
    if (entry.directories[0]) return directoryNode((await this.#blob(path))!);
    return leafNode(entry);
  }

  async names(path: string): Promise<string[]> {
    const blob = await this.#blob(path);
    if (!blob) return [];
    const { files, directories, symlinks } = decodeDirectory(blob);
    return [...files.filter(({ type }) => type !== 'socket'), ...directories, ...symlinks].map(
      ({ name }) => name,
    );
  }

  /** undefined: no directory there. */
  #blob(path: string): Promise<Uint8Array | undefined> {
    let blob = this.#blobs.get(path);
    if (!blob) {
      blob = path === '' ? this.#load(this.#root) : this.#childBlob(path);
      this.#blobs.set(path, blob);
    }
    return blob;
  }

  async #childBlob(path: string): Promise<Uint8Array | undefined> {
    const parent = await this.#blob(parentOf(path));
    const digest =
      parent && lookUpEntry(parent, path.slice(path.lastIndexOf('/') + 1))?.directories[0]?.digest;
    return digest && this.#load(digest);
  }
}

function directoryNode(blob: Uint8Array): TreeNode {
  const { mode = 0o755, mtimeNs = 0n } = lookUpSelf(blob);
  return { type: 'directory', mode, mtimeNs };
}

function leafNode({ files: [file], symlinks: [symlink] }: Directory): TreeNode | null {
  if (symlink) {
    const { target, mtimeNs } = symlink;
    return { type: 'symlink', target, ...(mtimeNs !== undefined && { mtimeNs }) };
  }
  if (file?.type === 'fifo') return { type: 'fifo', mode: file.mode };
  if (file?.type === 'file') {
    return { type: 'file', digest: file.digest, mode: file.mode, mtimeNs: file.mtimeNs ?? 0n };
  }
  return null;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
