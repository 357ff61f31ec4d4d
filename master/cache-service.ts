import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { collectGarbage, verifyStore } from '../cas/garbage-collection.ts';
import type { ControlReply, ControlRequest } from '../protocol/control.ts';
import type { ResultCache } from './result-cache.ts';

export type CacheRequest = Extract<ControlRequest, { op: `cache-${string}` }>;

/** What `termite cache` asks of a master. */
export class CacheService {
  readonly #store: FileBlobStore;
  readonly #results: ResultCache | undefined;

  /** @param results undefined: they could not be opened */
  constructor(store: FileBlobStore, results: ResultCache | undefined) {
    this.#store = store;
    this.#results = results;
  }

  async answer(request: CacheRequest): Promise<Extract<ControlReply, { op: 'cache' }>> {
    if (request.op === 'cache-clear') await this.#results?.clear();
    const maxBytes = request.op === 'cache-collect' ? request.maxBytes : Number.POSITIVE_INFINITY;
    const store =
      request.op === 'cache-verify'
        ? await verifyStore(this.#store)
        : await collectGarbage(this.#store, { maxBytes, nowMs: Date.now() });
    const statistics = await this.#results?.statistics();
    return { op: 'cache', ...(statistics && { statistics }), store };
  }
}
