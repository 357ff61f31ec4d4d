import type { ActionCache } from '../cas/action-cache.ts';
import { type Limit, limitSchema } from '../runtime/limit.ts';

/** Which limit of the sandbox a command has reached before (`l` in the cache), by weak fingerprint. */
export class KnownLimits {
  readonly #cache: Pick<ActionCache, 'get' | 'write'>;
  readonly #known = new Map<string, Limit>();

  constructor(cache: Pick<ActionCache, 'get' | 'write'>) {
    this.#cache = cache;
  }

  async of(weak: string): Promise<Limit | undefined> {
    const known = limitSchema.safeParse(this.#known.get(weak) ?? (await this.#cache.get(`l ${weak}`)));
    if (!known.success) return undefined;
    this.#known.set(weak, known.data);
    return known.data;
  }

  /** @throws as ActionCache.write */
  remember(weak: string, limit: Limit): Promise<void> {
    this.#known.set(weak, limit);
    return this.#cache.write([{ key: `l ${weak}`, value: limit }]);
  }

  forgetAll(): void {
    this.#known.clear();
  }
}
