import type { Digest } from '../protocol/digest.ts';
import type { TreeNode } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { digestOf } from './digest.ts';
import { type Directory, encodeDirectory, isEntryName } from './directory.ts';
import { childDigest, type DirectorySource, indexOfName } from './tree.ts';

export interface TreeEdit {
  /** Relative, without empty, "." or ".." components; "" is the root, which cannot be removed. */
  path: string;
  /** What shall stand there: a directory keeps what it holds; null removes, with everything below. */
  node: TreeNode | null;
}

export interface EditedTree {
  root: Digest;
  /** The directories that the new tree has and the old one may lack, by hash. */
  blobs: ReadonlyMap<string, { digest: Digest; content: Buffer }>;
}

/** Edits put together by name. */
interface Plan {
  node?: TreeNode | null;
  children: Map<string, Plan>;
}

/**
 * The tree after some edits, of which the last one for a path counts. Edits of a path apply before those below it.
 *
 * @throws AppError `bad-edit` when the parent of something new is not there, or is no directory
 */
export async function edit(
  source: DirectorySource,
  root: Digest,
  edits: readonly TreeEdit[],
): Promise<EditedTree> {
  const blobs = new Map<string, { digest: Digest; content: Buffer }>();
  const store = (directory: Directory): Digest => {
    const content = encodeDirectory(directory);
    const digest = digestOf(content);
    blobs.set(digest.hash, { digest, content });
    return digest;
  };

  const apply = async (old: Directory, plan: Plan): Promise<Digest> => {
    const directory: Directory = {
      ...old,
      files: [...old.files],
      directories: [...old.directories],
      symlinks: [...old.symlinks],
    };
    if (plan.node?.type === 'directory') {
      directory.mode = plan.node.mode;
      if (plan.node.mtimeNs !== undefined) directory.mtimeNs = plan.node.mtimeNs;
    }
    for (const [name, child] of plan.children) {
      const node = child.node;
      const digest = childDigest(old, name);
      const isDirectory = node === undefined ? digest !== undefined : node?.type === 'directory';
      if (!isDirectory && [...child.children.values()].some(makesSomething)) {
        throw new AppError(`Cannot edit below "${name}": it is no directory`, { code: 'bad-edit' });
      }
      if (isDirectory) {
        const present = digest ? await source(digest) : { files: [], directories: [], symlinks: [] };
        place(directory, name, null);
        insert(directory.directories, { name, digest: await apply(present, child) });
      } else if (node !== undefined) {
        place(directory, name, node);
      }
    }
    return store(directory);
  };

  const plan = planOf(edits);
  if (plan.node !== undefined && plan.node?.type !== 'directory') {
    throw new AppError('Cannot edit the root of a tree: it must stay a directory', { code: 'bad-edit' });
  }
  return { root: await apply(await source(root), plan), blobs };
}

function planOf(edits: readonly TreeEdit[]): Plan {
  const root: Plan = { children: new Map() };
  for (const { path, node } of edits) {
    let plan = root;
    for (const name of path === '' ? [] : path.split('/')) {
      if (!isEntryName(name)) throw new AppError(`Cannot edit ${JSON.stringify(path)}`, { code: 'bad-edit' });
      let child = plan.children.get(name);
      if (!child) {
        child = { children: new Map() };
        plan.children.set(name, child);
      }
      plan = child;
    }
    plan.node = node;
  }
  return root;
}

function makesSomething(plan: Plan): boolean {
  return (plan.node ?? null) !== null || [...plan.children.values()].some(makesSomething);
}

/** Puts something that is no directory in the place of whatever has its name. */
function place(directory: Directory, name: string, node: TreeNode | null): void {
  for (const nodes of [directory.files, directory.directories, directory.symlinks]) {
    const index = indexOfName(nodes, name);
    if (index >= 0) nodes.splice(index, 1);
  }
  if (node?.type === 'file') {
    const { digest, mode, mtimeNs } = node;
    insert(directory.files, { name, type: 'file', digest, mode, mtimeNs });
  } else if (node?.type === 'fifo') {
    insert(directory.files, { name, type: 'fifo', digest: { hash: '', sizeBytes: 0 }, mode: node.mode });
  } else if (node?.type === 'symlink') {
    const { target, mtimeNs } = node;
    insert(directory.symlinks, { name, target, ...(mtimeNs !== undefined && { mtimeNs }) });
  }
}

function insert<N extends { name: string }>(nodes: N[], node: N): void {
  nodes.splice(~indexOfName(nodes, node.name), 0, node);
}
