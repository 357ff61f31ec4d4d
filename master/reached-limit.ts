import { lstatSync, readdirSync } from 'node:fs';
import { type Manifest, type Observation, ObservationFlag } from '../protocol/job.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { Limit } from '../runtime/limit.ts';

/**
 * Why what a command did in a sandbox must not pass for what it would do here, if there is a reason. Whatever the sandbox
 * hides, changes or throws away is judged in this one place.
 *
 * @param mayFail whether its failure is to be believed
 */
export function reachedLimit(
  { reached, hiddenTrace, status }: Pick<Manifest, 'reached' | 'hiddenTrace' | 'status'>,
  { mayFail }: { mayFail: boolean },
): Limit | undefined {
  if (reached[0]) return reached[0];
  const hidden = hiddenTrace.find(isDifferentHere);
  if (hidden) return { kind: 'hidden', path: hidden.path };
  const hasFailed = status.kind === 'exit' && status.code !== 0;
  return hasFailed && !mayFail ? { kind: 'failed' } : undefined;
}

/** The places of a sandbox's own begin empty: whoever did not find something there, or listed them, would here. */
function isDifferentHere({ path, flags }: Observation): boolean {
  try {
    if (flags & ObservationFlag.listed) return readdirSync(fsPath(path)).length > 0;
    if (!(flags & ObservationFlag.absent)) return false;
    return lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return false;
    throw error;
  }
}
