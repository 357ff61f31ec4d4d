import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ActionCache } from '../cas/action-cache.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { contentOfResults } from './evict-results.ts';

/** Name of the database of a project's results, in its state folder. */
export const resultsName = 'results';

/**
 * The hashes of all content that the results of other projects with the same store need.
 *
 * @param stateDir that of the project that is not asked about, beside all others
 * @returns undefined when that cannot be told: a master has the results of one of them open
 */
export async function contentNeededElsewhere(
  stateDir: string,
  onNotice: (message: string) => void,
): Promise<Set<string> | undefined> {
  const needed = new Set<string>();
  const projects = dirname(stateDir);
  for (const name of readdirSync(fsPath(projects), 'utf8')) {
    const dir = join(projects, name, resultsName);
    if (name === basename(stateDir) || !existsSync(fsPath(dir))) continue;
    try {
      await using cache = await ActionCache.open(dir, { onNotice });
      for (const hash of await contentOfResults(cache)) needed.add(hash);
    } catch (error) {
      if (error instanceof AppError && error.code === 'database-locked') return undefined;
      throw error;
    }
  }
  return needed;
}
