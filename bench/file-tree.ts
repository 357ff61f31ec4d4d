import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';

export interface TreeEntry {
  /** Everything that two builds must agree about: type, mode and content or target, in one line. */
  description: string;
  /** Milliseconds since the epoch. */
  mtimeMs: number;
  isDirectory: boolean;
  isSymlink: boolean;
}

/** Path relative to the root → what is there. */
export type FileTree = ReadonlyMap<string, TreeEntry>;

/**
 * Everything below `root`, without Termite's own files (`.termite-…`). Files are hashed with SHA-256 from node:crypto:
 * this checks Termite, so it shares no code with it.
 */
export async function readTree(root: string): Promise<FileTree> {
  const tree = new Map<string, TreeEntry>();
  const visit = async (pathInTree: string): Promise<void> => {
    const names = await readdir(fsPath(join(root, pathInTree)), { encoding: 'buffer' });
    for (const name of names.map(decodeBytes)) {
      if (name.startsWith('.termite-')) continue;
      const path = join(pathInTree, name);
      const stats = await lstat(fsPath(join(root, path)));
      const mode = (stats.mode & 0o7777).toString(8);
      const description = `${mode} ${await describeContent(join(root, path), stats)}`;
      tree.set(path, {
        description,
        mtimeMs: stats.mtimeMs,
        isDirectory: stats.isDirectory(),
        isSymlink: stats.isSymbolicLink(),
      });
      if (stats.isDirectory()) await visit(path);
    }
  };
  await visit('');
  return tree;
}

/** The paths at which two trees differ, each with what stands on either side; times do not count. */
export function differences(left: FileTree, right: FileTree): string[] {
  const describe = (tree: FileTree, path: string) => tree.get(path)?.description ?? 'nothing';
  return [...new Set([...left.keys(), ...right.keys()])]
    .filter((path) => describe(left, path) !== describe(right, path))
    .sort()
    .map((path) => `${path}: ${describe(left, path)} against ${describe(right, path)}`);
}

/**
 * Paths of files that are new or were written to, though perhaps with the same content; sorted. Of symlinks only those that
 * are new or changed: make does not look at their own times, and Termite leaves one alone that is made again just as it was.
 */
export function writtenFiles(before: FileTree, after: FileTree): string[] {
  const isWritten = ([path, entry]: [string, TreeEntry]) => {
    const old = before.get(path);
    if (entry.isDirectory || old?.description !== entry.description) return !entry.isDirectory;
    return !entry.isSymlink && old.mtimeMs !== entry.mtimeMs;
  };
  return [...after]
    .filter(isWritten)
    .map(([path]) => path)
    .sort();
}

async function describeContent(path: string, stats: Stats): Promise<string> {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink())
    return `symlink to ${decodeBytes(await readlink(fsPath(path), { encoding: 'buffer' }))}`;
  if (!stats.isFile()) return 'special';
  const hash = createHash('sha256');
  await pipeline(createReadStream(fsPath(path)), hash);
  return `file ${stats.size} bytes ${hash.digest('hex').slice(0, 16)}`;
}
