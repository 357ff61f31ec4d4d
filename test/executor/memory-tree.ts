import { digestOf } from '../../cas/digest.ts';
import { type Directory, encodeDirectory } from '../../cas/directory.ts';
import type { BaseTree } from '../../executor/harvest.ts';
import type { Digest } from '../../protocol/digest.ts';
import type { TreeNode } from '../../protocol/job.ts';
import { compareBytes } from '../../runtime/byte-path.ts';

/** A tree as a table: path → node, "" is the root. Parents must be there. */
export class MemoryTree implements BaseTree {
  readonly nodes: Map<string, TreeNode>;

  constructor(nodes: Iterable<readonly [string, TreeNode]> = []) {
    this.nodes = new Map(nodes);
    if (!this.nodes.has('')) this.nodes.set('', directory());
  }

  async node(path: string): Promise<TreeNode | null> {
    return this.nodes.get(path) ?? null;
  }

  async names(path: string): Promise<string[]> {
    return this.namesIn(path);
  }

  namesIn(path: string): string[] {
    if (this.nodes.get(path)?.type !== 'directory') return [];
    const prefix = path === '' ? '' : `${path}/`;
    return [...this.nodes.keys()]
      .filter((each) => each !== '' && each.startsWith(prefix) && !each.slice(prefix.length).includes('/'))
      .map((each) => each.slice(prefix.length));
  }

  /** Removes a path and all below. */
  remove(path: string): void {
    for (const each of [...this.nodes.keys()]) {
      if (each === path || each.startsWith(`${path}/`)) this.nodes.delete(each);
    }
  }

  /** The Directory blobs of the whole tree, and the digest of its root. */
  encode(blobs: Map<string, Buffer> = new Map(), path = ''): { root: Digest; blobs: Map<string, Buffer> } {
    const self = this.nodes.get(path) as Extract<TreeNode, { type: 'directory' }>;
    const level: Directory = {
      files: [],
      directories: [],
      symlinks: [],
      mode: self.mode,
      mtimeNs: self.mtimeNs!,
    };
    for (const name of this.namesIn(path).sort(compareBytes)) {
      const childPath = path === '' ? name : `${path}/${name}`;
      const node = this.nodes.get(childPath)!;
      if (node.type === 'directory')
        level.directories.push({ name, digest: this.encode(blobs, childPath).root });
      else if (node.type === 'symlink') {
        const { target, mtimeNs } = node;
        level.symlinks.push({ name, target, ...(mtimeNs !== undefined && { mtimeNs }) });
      } else if (node.type === 'fifo') {
        level.files.push({ name, type: 'fifo', digest: { hash: '', sizeBytes: 0 }, mode: node.mode });
      } else level.files.push({ name, ...node });
    }
    const bytes = encodeDirectory(level);
    const root = digestOf(bytes);
    blobs.set(root.hash, bytes);
    return { root, blobs };
  }
}

export function file(
  content: string,
  { mode = 0o644, mtimeNs = 1_000n } = {},
): Extract<TreeNode, { type: 'file' }> {
  return { type: 'file', digest: digestOf(Buffer.from(content)), mode, mtimeNs };
}

export function directory({ mode = 0o755, mtimeNs = 1_000n } = {}): TreeNode {
  return { type: 'directory', mode, mtimeNs };
}

/** @param mtimeNs not known: it was made just now */
export function symlink(target: string, mtimeNs?: bigint): TreeNode {
  return { type: 'symlink', target, ...(mtimeNs !== undefined && { mtimeNs }) };
}

export function fifo(mode = 0o644): TreeNode {
  return { type: 'fifo', mode };
}
