import type { Digest } from '../protocol/digest.ts';
import type { TreeNode } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { compareBytes } from '../runtime/byte-path.ts';
import { equalDigests } from './digest.ts';
import type { Directory } from './directory.ts';

/** Where the directories of a tree come from; rejects for a digest that it does not have. */
export type DirectorySource = (digest: Digest) => Promise<Directory>;

export interface TreeEntry {
  /** Relative to the root of the tree, "" for the root itself. */
  path: string;
  node: TreeNode;
}

/** What differs at one path between two trees; null: nothing is there. */
export interface TreeDifference {
  path: string;
  before: TreeNode | null;
  after: TreeNode | null;
}

/** What stands at a path, links not followed; null when nothing does. */
export async function lookUp(source: DirectorySource, root: Digest, path: string): Promise<TreeNode | null> {
  let directory = await source(root);
  if (path === '') return nodeOfDirectory(directory);
  const names = path.split('/');
  const last = names.pop()!;
  for (const name of names) {
    const digest = childDigest(directory, name);
    if (!digest) return null;
    directory = await source(digest);
  }
  const digest = childDigest(directory, last);
  return digest ? nodeOfDirectory(await source(digest)) : leafOf(directory, last);
}

/**
 * Everything below a root, the root itself first: parents before children, siblings by the bytes of their names.
 */
export async function* walk(source: DirectorySource, root: Digest): AsyncGenerator<TreeEntry> {
  yield* walkFrom(source, '', await source(root));
}

/** Every path that differs between two trees, in the order of `walk`; of a subtree that is only in one, all paths. */
export async function* diff(source: DirectorySource, a: Digest, b: Digest): AsyncGenerator<TreeDifference> {
  if (!equalDigests(a, b)) yield* diffDirectories(source, '', await source(a), await source(b));
}

/** A node of a directory that is no directory. Sockets are not part of trees. */
export function leafOf(directory: Directory, name: string): TreeNode | null {
  const file = find(directory.files, name);
  if (file?.type === 'file') {
    return { type: 'file', digest: file.digest, mode: file.mode, mtimeNs: file.mtimeNs ?? 0n };
  }
  if (file) return file.type === 'fifo' ? { type: 'fifo', mode: file.mode } : null;
  const symlink = find(directory.symlinks, name);
  return symlink ? { type: 'symlink', target: symlink.target } : null;
}

export function nodeOfDirectory({ mode = 0o755, mtimeNs = 0n }: Directory): TreeNode {
  return { type: 'directory', mode, mtimeNs };
}

/** The digest of a child directory; undefined when there is none of that name. */
export function childDigest(directory: Directory, name: string): Digest | undefined {
  const child = find(directory.directories, name);
  if (child && !child.digest) {
    throw new AppError(`Directory "${name}" has no digest: its parent is shallow`, { code: 'bad-directory' });
  }
  return child?.digest;
}

/** Where `name` stands in a sorted list, or would stand: then negative, as bitwise complement. */
export function indexOfName(nodes: readonly { name: string }[], name: string): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareBytes(nodes[middle]!.name, name);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return ~low;
}

export function joinPath(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}

function find<N extends { name: string }>(nodes: readonly N[], name: string): N | undefined {
  return nodes[indexOfName(nodes, name)];
}

function namesOf(...directories: Directory[]): string[] {
  const names = new Set<string>();
  for (const { files, directories: children, symlinks } of directories) {
    for (const nodes of [files, children, symlinks]) for (const { name } of nodes) names.add(name);
  }
  return [...names].sort(compareBytes);
}

async function* walkFrom(
  source: DirectorySource,
  path: string,
  directory: Directory,
): AsyncGenerator<TreeEntry> {
  yield { path, node: nodeOfDirectory(directory) };
  for (const name of namesOf(directory)) {
    const childPath = joinPath(path, name);
    const digest = childDigest(directory, name);
    if (digest) {
      yield* walkFrom(source, childPath, await source(digest));
    } else {
      const node = leafOf(directory, name);
      if (node) yield { path: childPath, node };
    }
  }
}

async function* diffDirectories(
  source: DirectorySource,
  path: string,
  a: Directory,
  b: Directory,
): AsyncGenerator<TreeDifference> {
  const before = nodeOfDirectory(a);
  const after = nodeOfDirectory(b);
  if (!equalNodes(before, after)) yield { path, before, after };
  for (const name of namesOf(a, b)) {
    const childPath = joinPath(path, name);
    const digestA = childDigest(a, name);
    const digestB = childDigest(b, name);
    if (digestA && digestB) {
      if (!equalDigests(digestA, digestB)) {
        yield* diffDirectories(source, childPath, await source(digestA), await source(digestB));
      }
      continue;
    }
    const gone = digestA ? await source(digestA) : leafOf(a, name);
    const come = digestB ? await source(digestB) : leafOf(b, name);
    const nodeGone = gone && 'files' in gone ? nodeOfDirectory(gone) : gone;
    const nodeCome = come && 'files' in come ? nodeOfDirectory(come) : come;
    if (!equalNodes(nodeGone, nodeCome)) yield { path: childPath, before: nodeGone, after: nodeCome };
    for await (const { path: below, node } of walkBelow(source, childPath, gone)) {
      yield { path: below, before: node, after: null };
    }
    for await (const { path: below, node } of walkBelow(source, childPath, come)) {
      yield { path: below, before: null, after: node };
    }
  }
}

/** Of a directory, what is in it. */
async function* walkBelow(
  source: DirectorySource,
  path: string,
  side: Directory | TreeNode | null,
): AsyncGenerator<TreeEntry> {
  if (!side || !('files' in side)) return;
  for await (const entry of walkFrom(source, path, side)) if (entry.path !== path) yield entry;
}

export function equalNodes(a: TreeNode | null, b: TreeNode | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.type === 'file' && b.type === 'file') {
    return a.mode === b.mode && a.mtimeNs === b.mtimeNs && equalDigests(a.digest, b.digest);
  }
  if (a.type === 'directory' && b.type === 'directory') return a.mode === b.mode && a.mtimeNs === b.mtimeNs;
  if (a.type === 'symlink' && b.type === 'symlink') return a.target === b.target;
  return a.type === 'fifo' && b.type === 'fifo' && a.mode === b.mode;
}
