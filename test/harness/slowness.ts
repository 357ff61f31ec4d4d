import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';

/** What starting Node.js takes on a machine for which deadlines are written: two busy cores of 2020. */
const usualStartMs = 60;

/** Beyond that nothing is slow but broken. */
const maxSlowness = 30;

/**
 * How many times slower than the machine for which deadlines are written this one is just now, other work included: 1 to 30. It
 * starts Node.js a few times, since that is what most tests spend their time with; takes a fifth of a second there.
 */
export function measureSlowness(): number {
  const times = Array.from({ length: 3 }, () => {
    const started = performance.now();
    spawnSync(process.execPath, ['-e', ''], { stdio: 'ignore' });
    return performance.now() - started;
  });
  const median = times.sort((a, b) => a - b)[1]!;
  return Math.min(maxSlowness, Math.max(1, median / usualStartMs));
}

/** What the runner measured before the first test; 1 in a test file that runs alone. */
export function slowness(): number {
  return Number(process.env['TEST_SLOWNESS'] ?? 1);
}

/** Milliseconds to wait here for what takes up to `usualMs` on a usual machine. Waiting ends earlier, on an event. */
export function patience(usualMs: number): number {
  return Math.ceil(usualMs * slowness());
}
