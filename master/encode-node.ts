import { digestOf } from '../cas/digest.ts';
import { type Directory, encodeDirectory } from '../cas/directory.ts';
import type { Digest } from '../protocol/digest.ts';
import { compareBytes } from '../runtime/byte-path.ts';
import type { DirectoryNode } from './tree-node.ts';

const noDigest: Digest = { hash: '', sizeBytes: 0 };

/** The Directory blob of a node whose children are encoded already. */
export function encodeNode(node: DirectoryNode): { digest: Digest; bytes: Buffer } {
  const directory: Directory = {
    files: [],
    directories: [],
    symlinks: [],
    mode: node.mode,
    mtimeNs: node.mtimeNs,
  };
  const names = [...node.children.keys()].sort(compareBytes);
  for (const name of names) {
    const child = node.children.get(name)!;
    if (child.type === 'file') {
      directory.files.push({
        name,
        type: 'file',
        digest: child.digest!,
        mode: child.mode,
        mtimeNs: child.mtimeNs,
      });
    } else if (child.type === 'directory') {
      directory.directories.push({ name, digest: child.digest! });
    } else if (child.type === 'symlink') {
      directory.symlinks.push({ name, target: child.target, mtimeNs: child.mtimeNs });
    } else if (child.type === 'fifo') {
      directory.files.push({ name, type: 'fifo', digest: noDigest, mode: child.mode });
    }
  }
  const bytes = encodeDirectory(directory);
  return { digest: digestOf(bytes), bytes };
}
