import { isDuringRun } from '../protocol/during-run.ts';
import { type Manifest, type Observation, ObservationFlag, type TreeNode } from '../protocol/job.ts';
import { CountFlag, type FormerTree, type Overwritten } from './path-state.ts';
import type { TimeUse } from './time-use.ts';

export interface CountingOptions {
  manifest: Pick<Manifest, 'trace' | 'changes' | 'startedNs' | 'finishedNs'>;
  /** What the command was based on. */
  former: Pick<FormerTree, 'node'>;
  /** See `overwrittenOutputs`. */
  overwritten: Overwritten;
  timeUse: TimeUse;
  /** Of the current folder in the project, undefined when it is elsewhere. */
  cwd: string | undefined;
  /**
   * Whether a time of one of these is in something that it left or printed (shown-times.ts).
   *
   * @param timesNs of all files that it found
   */
  showsTimes: (timesNs: ReadonlySet<bigint>) => boolean | Promise<boolean>;
}

interface Found extends Observation {
  node: TreeNode | null;
  /** A directory whose own age may have been looked at. */
  hasAge: boolean;
}

/** Files in which compilers keep the times of the headers that they are made of. */
const precompiled = /\.(?:pch|pcm|gch)$|\.gch\//;
/** What Python compiles `<folder>/<module>.py` to, and keeps its time in. Source: PEP 3147. */
const compiledPython = /^(?:(.*\/)?__pycache__\/([^/]+)\.[^./]+(?:\.opt-\d)?|(.*))\.pyc$/;

/**
 * What a command observed, with what counts of it (`CountFlag`):
 *
 * - The content of all files that it found, unless it replaced or removed them unread: `cmp`, `stat` and `test -s` tell
 *   that there is something, and they tell its age.
 * - How what it did not read compares by age with all else that it found: a file that it read may have been compared with one
 *   that it did not. Likewise files that were there and that it changed: `test in -nt out && make out of in`.
 * - The times themselves, where it copied, printed or kept one, or names a program that does.
 *
 * Flags are part of the path set, so that whoever looks a command up computes the same states.
 */
export async function countedObservations(options: CountingOptions): Promise<Observation[]> {
  const { manifest, overwritten, timeUse } = options;
  const seen = look(options);
  const changed = new Map(manifest.changes.map(({ path, node }) => [path, node]));
  const files = seen.filter(({ node }) => node?.type === 'file');
  // Of files that it left alone.
  const timesNs = new Set(
    files.flatMap(({ path, node }) => (node?.type === 'file' && !changed.has(path) ? [node.mtimeNs] : [])),
  );

  for (const observation of files) {
    const { path, flags, node } = observation;
    if (overwritten.has(path) || node?.type !== 'file') continue;
    const isRead = (flags & ObservationFlag.read) !== 0;
    const left = changed.get(path);
    const isReplaced = !isRead && (left === null || left?.type === 'file');
    // A file as old as one that stayed is its copy where such ages mean something: then its size does, too.
    const isCopy = timeUse === 'compared' && timesNs.has(node.mtimeNs);
    const tellsNoSizes = timeUse === 'unused' || timeUse === 'compared';
    if (isReplaced && tellsNoSizes && !isCopy) observation.flags |= CountFlag.overwritten;
    if (timeUse === 'unused') continue;
    const isWritten = left !== undefined || (flags & ObservationFlag.rewritten) !== 0;
    const isCompared = !isRead || isWritten || timeUse === 'sorted';
    observation.flags |= isCompared ? CountFlag.compared : CountFlag.aged;
  }
  for (const observation of seen) {
    const isDirectory = observation.node?.type === 'directory';
    if (timeUse !== 'unused' && isDirectory && observation.hasAge) observation.flags |= CountFlag.compared;
  }
  await noteExactTimes(seen, options);
  const isAnyCompared = seen.some(({ flags }) => flags & CountFlag.compared);
  return seen.map(({ path, flags }) => ({ path, flags: isAnyCompared ? flags : flags & ~CountFlag.aged }));
}

/**
 * What stood at each path. A directory that is only on the way to others has an age that nobody looks at, unless the command
 * is known to look at times: then only those on the way to its current folder are left out.
 */
function look({ manifest: { trace }, former, overwritten, timeUse, cwd }: CountingOptions): Found[] {
  const parents = new Set<string>();
  const places = cwd === undefined ? [] : [`${cwd}/.`];
  if (timeUse === 'compared') places.push(...trace.map(({ path }) => path));
  for (const path of places) {
    for (let parent = parentOf(path); !parents.has(parent); parent = parentOf(parent)) parents.add(parent);
  }
  return trace.map(({ path, flags }) => {
    // Whether something stands at a path that is overwritten unseen is no observation.
    const both = overwritten.has(path) ? ObservationFlag.found | ObservationFlag.absent : 0;
    const isListed = timeUse !== 'compared' && (flags & ObservationFlag.listed) !== 0;
    return { path, flags: flags | both, node: former.node(path), hasAge: isListed || !parents.has(path) };
  });
}

/** Whether the command has given the time of this to something. */
function isGiven(node: TreeNode, given: ReadonlySet<bigint>): boolean {
  return 'mtimeNs' in node && node.mtimeNs !== undefined && given.has(node.mtimeNs);
}

async function noteExactTimes(
  seen: readonly Found[],
  { manifest, timeUse, showsTimes }: CountingOptions,
): Promise<void> {
  const timesNs = new Set(
    seen.flatMap(({ node, flags }) =>
      node?.type === 'file' && !(flags & CountFlag.overwritten) ? [node.mtimeNs] : [],
    ),
  );
  const left = manifest.changes.map(({ node }) => node);
  for (const { node, flags } of seen) if (flags & ObservationFlag.rewritten) left.push(node);
  const given = new Set(
    left.flatMap((node) => {
      const mtimeNs = node && 'mtimeNs' in node ? node.mtimeNs : undefined;
      return mtimeNs !== undefined && !isDuringRun(mtimeNs, manifest) ? [mtimeNs] : [];
    }),
  );
  const isAll = timeUse === 'shown' || (await showsTimes(timesNs));
  const usesPrecompiled = seen.some(
    ({ path, flags }) => flags & ObservationFlag.read && precompiled.test(path),
  );
  const sources = new Set(
    timeUse === 'unused'
      ? []
      : seen.flatMap(({ path, flags }) => (flags & ObservationFlag.read ? sourceOf(path) : [])),
  );
  for (const observation of seen) {
    const { path, flags, node, hasAge } = observation;
    if (!node || !('mtimeNs' in node || node.type === 'symlink') || flags & CountFlag.overwritten) continue;
    const isRead = (flags & ObservationFlag.read) !== 0;
    const counts =
      node.type === 'file'
        ? isAll || isGiven(node, given) || sources.has(path) || (usesPrecompiled && !isRead)
        : isGiven(node, given) || (isAll && timeUse === 'shown' && (node.type === 'symlink' || hasAge));
    if (counts) observation.flags |= CountFlag.exactTime;
  }
}

function sourceOf(path: string): string[] {
  const [, dir = '', module, legacy] = compiledPython.exec(path) ?? [];
  if (module !== undefined) return [`${dir}${module}.py`];
  return legacy === undefined ? [] : [`${legacy}.py`];
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
