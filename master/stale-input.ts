import type { Digest } from '../protocol/digest.ts';
import { type Manifest, type Observation, ObservationFlag, type TreeNode } from '../protocol/job.ts';
import type { Inputs } from './inputs.ts';

/** Whether a command has read a file and changed it: what others did to it meanwhile would be lost. */
export function isUpdate({ changes, trace }: Pick<Manifest, 'changes' | 'trace'>): boolean {
  const changed = new Set(changes.flatMap(({ path, base, node }) => (base && node ? [path] : [])));
  return trace.some(({ path, flags }) => flags & ObservationFlag.read && changed.has(path));
}

/**
 * The first path of the project that is not as a command saw it any more: a name that it did not find is there now, or something
 * that it read is another. If there is none, the command did what it would have done now, at once: so commands that agree among
 * themselves who goes first, in whatever way, can be applied one after the other as if they had waited. Names in
 * folders do not count: others make files beside it all the time.
 *
 * @param root the tree that the command saw
 */
export function findStaleInput(
  trace: readonly Observation[],
  root: Digest,
  { former, node }: Pick<Inputs, 'former' | 'node'>,
): string | undefined {
  const before = former(root);
  const { absent, read, linkRead } = ObservationFlag;
  return trace.find(({ path, flags }) => {
    if (flags & absent) return node(path) !== null;
    return flags & (read | linkRead) && !hasContentOf(before.node(path), node(path));
  })?.path;
}

function hasContentOf(was: TreeNode | null, is: TreeNode | null): boolean {
  if (was?.type === 'file') return is?.type === 'file' && is.digest.hash === was.digest.hash;
  if (was?.type === 'symlink') return is?.type === 'symlink' && is.target === was.target;
  return was?.type === is?.type;
}
