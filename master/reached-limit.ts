import { lstatSync, readdirSync, type Stats } from 'node:fs';
import {
  type Change,
  type Manifest,
  type Observation,
  ObservationFlag,
  type TreeNode,
} from '../protocol/job.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { Limit } from '../runtime/limit.ts';
import type { Inputs } from './inputs.ts';

/**
 * Doors of services that only repeat, faster or for users that come and go, what files say; C libraries knock at them
 * whatever a program wants; and the sign that systemd is running.
 */
const harmless = /^\/run\/(?:nscd|systemd)(?:\/|$)/;

/**
 * What programs show of themselves to whoever watches them, and clean up themselves: HotSpot's counters for jstat, and the file by
 * which it is asked to be attached to. Whoever lists the folder is the one who watches.
 */
const counters = /^\/tmp\/(?:hsperfdata_[^/]*(?:\/\d*)?|\.java_pid\d+|\.attach_pid\d+)$/;

type JudgedManifest = Pick<Manifest, 'reached' | 'trace' | 'hiddenTrace' | 'changes' | 'status'>;

/**
 * Why what a command did in a sandbox must not pass for what it would do here, if there is a reason. Whatever the sandbox
 * hides, changes or throws away is judged in this one place.
 *
 * @param mayFail whether its failure is to be believed
 * @param findForeign as in foreign-files.ts
 * @param ownDir absolute path of our state, for which our own programs look wherever they are run
 */
export function reachedLimit(
  { reached, trace, hiddenTrace, changes, status }: JudgedManifest,
  {
    mayFail,
    ownDir,
    hasOtherNames,
    otherNames,
    isConcealed,
    findForeign,
  }: {
    mayFail: boolean;
    ownDir: string;
    findForeign: (manifest: Pick<Manifest, 'changes' | 'trace'>) => string | undefined;
  } & Pick<Inputs, 'hasOtherNames' | 'otherNames' | 'isConcealed'>,
): Limit | undefined {
  const limit = reached.find((each) => !isAsHere(each));
  if (limit) return limit;
  /** What a command does to one name of a file, and its others have to show. */
  const showsInOtherNames = (change: Change) =>
    isRewritten(change) || change.linkGroup !== undefined || (isGone(change) && isMissed(change));
  // A name that has gone shows in how many names the others say there are, and where it went to.
  const isMissed = ({ path, base }: Change) => {
    const others = new Set(otherNames(path));
    return (
      trace.some((seen) => others.has(seen.path)) || changes.some(({ node }) => isSameContent(node, base))
    );
  };
  const hidden = findHidden({ hiddenTrace }, ownDir) ?? trace.find(isConcealed);
  if (hidden) return { kind: 'hidden', path: hidden.path };
  const linked = changes.find(
    (change) => isRewrittenLink(change) || (hasOtherNames(change.path) && showsInOtherNames(change)),
  );
  if (linked) return { kind: 'linked', path: linked.path };
  const foreign = findForeign({ changes, trace });
  if (foreign !== undefined) return { kind: 'owner', path: foreign };
  const hasFailed = status.kind === 'exit' && status.code !== 0;
  return hasFailed && !mayFail ? { kind: 'failed' } : undefined;
}

/** What a command looked for in a sandbox's own places and would have seen otherwise here, now. */
export function findHidden(
  { hiddenTrace }: Pick<Manifest, 'hiddenTrace'>,
  ownDir: string,
): Observation | undefined {
  return hiddenTrace.find((seen) => !leadsTo(seen.path, ownDir) && isDifferentHere(seen));
}

/**
 * Whether a file has other content than before. What its further names then show depends on how that was done, in place
 * or by a new file, which a writable layer does not tell.
 */
function isRewritten({ base, node }: Change): boolean {
  return base?.type === 'file' && node?.type === 'file' && base.digest.hash !== node.digest.hash;
}

/** A name given to a file that was there, and a write through either: without root, the other one does not show it in a sandbox. */
function isRewrittenLink(change: Change): boolean {
  return change.linkGroup !== undefined && isRewritten(change);
}

function isGone({ base, node }: Change): boolean {
  return base?.type === 'file' && node?.type !== 'file';
}

function isSameContent(a: TreeNode | null, b: TreeNode | null): boolean {
  return a?.type === 'file' && b?.type === 'file' && a.digest.hash === b.digest.hash;
}

/** Whether it is the folder, or the one that this is in. */
function leadsTo(path: string, dir: string): boolean {
  return path === dir || dir.slice(0, dir.lastIndexOf('/')) === path;
}

/** A directory that something was made in for a while looks as if it was left: a slash behind its path says so. */
function isAsHere(limit: Limit): boolean {
  if (limit.kind !== 'left-outside' || !limit.path.endsWith('/')) return false;
  if (counters.test(limit.path)) return true;
  return statsOf(limit.path.slice(0, -1))?.isDirectory() === true;
}

/**
 * A sandbox's own places begin empty but for some directories: whoever did not find something there, or listed them, would
 * here; and a past one may have found a directory that is gone.
 */
function isDifferentHere({ path, flags }: Observation): boolean {
  if (harmless.test(path)) return false;
  if (flags & ObservationFlag.listed && hasEntries(path)) return true;
  if (flags & ObservationFlag.absent && !counters.test(path) && statsOf(path) !== undefined) return true;
  return (flags & ObservationFlag.found) !== 0 && statsOf(path)?.isDirectory() !== true;
}

function hasEntries(path: string): boolean {
  try {
    return readdirSync(fsPath(path)).length > 0;
  } catch (error) {
    return answersNothing(error);
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false });
  } catch (error) {
    answersNothing(error);
    return undefined;
  }
}

/** Nothing that the user may see is there. @throws any other error */
function answersNothing(error: unknown): false {
  if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return false;
  throw error;
}
