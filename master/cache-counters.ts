import { z } from 'zod';
import { cacheStatisticsSchema } from '../protocol/control.ts';

export type CacheStatistics = z.infer<typeof cacheStatisticsSchema>;

/** What is counted over all builds. */
export const countersSchema = z.object({
  ...cacheStatisticsSchema.omit({ resultCount: true, quarantinedCount: true, sizeBytes: true }).shape,
});

type Counts = z.infer<typeof countersSchema>;

export const noCounts: Counts = { hits: 0, savedMs: 0, misses: {}, notStored: {} };

/** What became of questions to the cache since it was last written down. */
export class CacheCounters {
  readonly #counts: Counts = { ...noCounts, misses: {}, notStored: {} };

  hit(savedMs: number): void {
    this.#counts.hits += 1;
    this.#counts.savedMs += savedMs;
  }

  miss(reason: string): void {
    this.#counts.misses[reason] = (this.#counts.misses[reason] ?? 0) + 1;
  }

  notStored(reason: string): void {
    this.#counts.notStored[reason] = (this.#counts.notStored[reason] ?? 0) + 1;
  }

  addedTo(former: Counts): Counts {
    const { hits, savedMs, misses, notStored } = this.#counts;
    return {
      hits: former.hits + hits,
      savedMs: former.savedMs + savedMs,
      misses: sum(former.misses, misses),
      notStored: sum(former.notStored, notStored),
    };
  }
}

function sum(a: Counts['misses'], b: Counts['misses']): Counts['misses'] {
  const total = { ...a };
  for (const [reason, count] of Object.entries(b)) total[reason] = (total[reason] ?? 0) + count;
  return total;
}
