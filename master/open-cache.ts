import { setTimeout as sleep } from 'node:timers/promises';
import { StatCache } from '../cas/stat-cache.ts';
import { AppError } from '../runtime/app-error.ts';

const lockPollMs = 20;
const lockPatienceMs = 15_000;

/** Opens a project's cache; a master that was here before may not be quite gone yet. @throws as StatCache.open */
export async function openCache(dir: string, onNotice: (message: string) => void): Promise<StatCache> {
  for (let waitedMs = 0; ; waitedMs += lockPollMs) {
    try {
      return await StatCache.open(dir, { onNotice });
    } catch (error) {
      const isLocked = error instanceof AppError && error.code === 'database-locked';
      if (!isLocked || waitedMs >= lockPatienceMs) throw error;
      await sleep(lockPollMs);
    }
  }
}
