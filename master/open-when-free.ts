import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../runtime/app-error.ts';

const pollMs = 20;

/**
 * Opens a database as soon as no other process has it open: a master that was here before may not be quite gone yet,
 * and other projects' masters have a look at times (other-results.ts).
 *
 * @throws what `open` throws, `database-locked` only when that lasted for longer than `patienceMs`
 */
export async function openWhenFree<T>(open: () => Promise<T>, patienceMs: number): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    try {
      return await open();
    } catch (error) {
      const isLocked = error instanceof AppError && error.code === 'database-locked';
      if (!isLocked || waitedMs >= patienceMs) throw error;
      await sleep(pollMs);
    }
  }
}
