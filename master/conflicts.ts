import { equalDigests } from '../cas/digest.ts';
import type { Change, TreeNode } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { isTemporary } from './reserved-names.ts';
import type { Snapshot } from './snapshot.ts';
import type { DirectoryNode, Node } from './tree-node.ts';

/**
 * The first path whose present state is neither what the command was based on nor what it left there. Times do not
 * count. A directory is compatible with any directory: two commands may both do `mkdir -p`.
 *
 * @param changes sorted by path bytes
 * @param isExclusive the command may have relied on being the one who makes or changes what it did: nobody else may have done so,
 * not even the same, as when both count something up
 * @throws AppError `unsafe-path` when a path leads through a symlink, or the changes contradict each other
 */
export function findConflict(
  changes: readonly Change[],
  snapshot: Snapshot,
  { isExclusive = false }: { isExclusive?: boolean | undefined } = {},
): string | undefined {
  const planned = new Map<string, TreeNode | null>();
  for (const { path, base, node } of changes) {
    const present = snapshot.lookup(path);
    if (isTemporary(path)) refuse(path, 'has a name that is reserved');
    if (path === '') {
      if (node?.type !== 'directory') refuse(path, 'is the project and must stay a directory');
    } else if (node && !hasParent(path, planned, snapshot)) return path;
    planned.set(path, node);
    const isFine = equalsPresent(base, present) || (!isExclusive && equalsPresent(node, present));
    if (!isFine) return path;
    const isRemoved = present?.type === 'directory' && node?.type !== 'directory';
    const unknown = isRemoved ? findHidden(present) : undefined;
    if (unknown !== undefined) return `${path}/${unknown}`;
  }
  return undefined;
}

/** Whether `present` is what `state` says, times aside. */
export function equalsPresent(state: TreeNode | null, present: Node | undefined): boolean {
  if (!state || !present) return !state && !present;
  switch (state.type) {
    case 'file':
      return (
        present.type === 'file' && present.mode === state.mode && equalDigests(present.digest!, state.digest)
      );
    case 'symlink':
      return present.type === 'symlink' && present.target === state.target;
    case 'directory':
      return present.type === 'directory';
    case 'fifo':
      return present.type === 'fifo';
  }
}

/** Whether the parent of `path` is a directory, or will be: a present one, or one of the changes before it. */
function hasParent(path: string, planned: Map<string, TreeNode | null>, snapshot: Snapshot): boolean {
  let isMissing = false;
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const ancestor = path.slice(0, end);
    const plan = planned.get(ancestor);
    // Its own parents were judged when its turn was.
    if (plan?.type === 'directory') return !isMissing;
    if (plan !== undefined) refuse(path, `lies in "${ancestor}", which the same result removes`);
    const present = snapshot.lookup(ancestor);
    if (present?.type === 'symlink') refuse(path, `leads through the symlink "${ancestor}"`);
    if (present && present.type !== 'directory') return false;
    isMissing ||= !present;
  }
  return !isMissing;
}

/** Something below that is not part of the mirrored tree, relative to `directory`. */
function findHidden(directory: DirectoryNode): string | undefined {
  for (const child of directory.children.values()) {
    if (child.type === 'hidden') return child.name;
    const below = child.type === 'directory' ? findHidden(child) : undefined;
    if (below !== undefined) return `${child.name}/${below}`;
  }
  return undefined;
}

function refuse(path: string, why: string): never {
  throw new AppError(`Cannot apply result: "${path}" ${why}`, { code: 'unsafe-path', data: { path } });
}
