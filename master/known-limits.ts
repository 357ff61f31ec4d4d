import type { ActionCache } from '../cas/action-cache.ts';
import { type Limit, limitSchema } from '../runtime/limit.ts';

const maxInMemory = 10_000;

/** Which limit of the sandbox a command has reached before (`l` in the cache), by weak fingerprint. */
export class KnownLimits {
  readonly #cache: Pick<ActionCache, 'get' | 'write'>;
  /** Oldest first. */
  readonly #known = new Map<string, Limit>();

  constructor(cache: Pick<ActionCache, 'get' | 'write'>) {
    this.#cache = cache;
  }

  async of(weak: string): Promise<Limit | undefined> {
    const known = limitSchema.safeParse(this.#known.get(weak) ?? (await this.#cache.get(`l ${weak}`)));
    if (!known.success) return undefined;
    this.#keep(weak, known.data);
    return known.data;
  }

  /** @throws as ActionCache.write */
  remember(weak: string, limit: Limit): Promise<void> {
    this.#keep(weak, limit);
    return this.#cache.write([{ key: `l ${weak}`, value: limit }]);
  }

  forgetAll(): void {
    this.#known.clear();
  }

  #keep(weak: string, limit: Limit): void {
    this.#known.set(weak, limit);
    if (this.#known.size > maxInMemory) this.#known.delete(this.#known.keys().next().value!);
  }
}
