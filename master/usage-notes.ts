import type { ActionCache } from '../cas/action-cache.ts';
import { CacheCounters, type CacheStatistics, countersSchema, noCounts } from './cache-counters.ts';

/** How useful the cache is and when its results were last used, noted in memory and written down now and then (`c` and `u`). */
export class UsageNotes {
  readonly #cache: Pick<ActionCache, 'get' | 'write' | 'sizes'>;
  #counters = new CacheCounters();
  /** When results were last used, by key, since that was last written down. */
  #used = new Map<string, number>();

  constructor(cache: Pick<ActionCache, 'get' | 'write' | 'sizes'>) {
    this.#cache = cache;
  }

  hit(key: string, { savedMs, nowMs }: { savedMs: number; nowMs: number }): void {
    this.#counters.hit(savedMs);
    this.#used.set(key, nowMs);
  }

  miss(reason: string): void {
    this.#counters.miss(reason);
  }

  notStored(reason: string): void {
    this.#counters.notStored(reason);
  }

  forgetAll(): void {
    this.#counters = new CacheCounters();
    this.#used.clear();
  }

  /** Adds what was counted to what is written; last uses are written for a whole build at once. */
  async save(): Promise<void> {
    const [counters, used] = [this.#counters, this.#used];
    this.#counters = new CacheCounters();
    this.#used = new Map();
    const former = countersSchema.safeParse(await this.#cache.get('c'));
    await this.#cache.write([
      { key: 'c', value: counters.addedTo(former.success ? former.data : noCounts) },
      ...[...used].map(([key, usedMs]) => ({ key: `u ${key}`, value: { usedMs } })),
    ]);
  }

  /** What is written, and what the cache holds. */
  async statistics(): Promise<CacheStatistics> {
    let [resultCount, quarantinedCount, sizeBytes] = [0, 0, 0];
    for await (const { key, sizeBytes: bytes } of this.#cache.sizes('')) {
      if (key.startsWith('r ')) resultCount += 1;
      if (key.startsWith('x ')) quarantinedCount += 1;
      sizeBytes += bytes;
    }
    const counted = countersSchema.parse((await this.#cache.get('c')) ?? noCounts);
    return { resultCount, quarantinedCount, sizeBytes, ...counted };
  }
}
