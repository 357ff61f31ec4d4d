import type { Clock } from '../runtime/clock.ts';

const intervalMs = 1000;

/**
 * Tells of the hashing of a project at most once a second, so never when all of it takes less: a first build of a large
 * project must not look as if it hung.
 *
 * @param say given a line like `hashing the project: 1200 of 30000 files`
 */
export function hashingProgress(clock: Clock, say: (message: string) => void) {
  let nextMs = clock.nowMs() + intervalMs;
  return (hashedFiles: number, totalFiles: number): void => {
    if (clock.nowMs() < nextMs) return;
    nextMs = clock.nowMs() + intervalMs;
    say(`hashing the project: ${hashedFiles} of ${totalFiles} files`);
  };
}
