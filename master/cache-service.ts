import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { collectGarbage, dropBlobs, type StoreSize, verifyStore } from '../cas/garbage-collection.ts';
import type { StoreLimit } from '../cas/store-limit.ts';
import type { ControlReply, ControlRequest } from '../protocol/control.ts';
import { describeError } from '../runtime/app-error.ts';
import { exhaustive } from '../runtime/exhaustive.ts';
import { contentNeededElsewhere } from './other-results.ts';
import type { ResultCache } from './result-cache.ts';

export type CacheRequest = Extract<ControlRequest, { op: `cache-${string}` }>;
type CacheReply = Extract<ControlReply, { op: 'cache' }>;

export interface CacheServiceOptions {
  store: FileBlobStore;
  /** undefined: they could not be opened */
  results: ResultCache | undefined;
  limit: StoreLimit;
  /** State folder of the project, beside those of all others. */
  stateDir: string;
  onNotice: (message: string) => void;
}

interface Outcome extends Pick<CacheReply, 'droppedResultCount' | 'isContentKept'> {
  store: StoreSize;
}

/** The part of all room that the records of one project's results may take up: 200 MiB, or 60,000 results, by default. */
const recordShare = 1 / 100;

/** Looks after what is kept: by itself when there is time, and as `termite cache` asks. */
export class CacheService implements AsyncDisposable {
  readonly #options: CacheServiceOptions;
  #tidying: Promise<void> = Promise.resolve();

  constructor(options: CacheServiceOptions) {
    this.#options = options;
  }

  /** To be called when no build is under way. Never rejects. */
  tidy(): Promise<void> {
    this.#tidying = this.#tidying.then(() => this.tidyResults());
    return this.#tidying.then(() => this.#options.limit.enforce());
  }

  /** Never rejects: what cannot be dropped stays. */
  async tidyResults(): Promise<void> {
    const { results, onNotice } = this.#options;
    await results?.tidy(this.#maxRecordBytes).catch((error) => {
      onNotice(`Old results are not dropped: ${describeError(error)}`);
    });
  }

  /** Waits for the results, which are to be closed next. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tidying;
  }

  async answer(request: CacheRequest): Promise<CacheReply> {
    const { results, limit } = this.#options;
    const { store, ...outcome } = await this.#do(request);
    const statistics = await results?.statistics();
    return {
      op: 'cache',
      ...outcome,
      ...(statistics && { statistics }),
      store: { ...store, maxBytes: limit.maxBytes },
    };
  }

  async #do(request: CacheRequest): Promise<Outcome> {
    const { store, limit } = this.#options;
    const nowMs = Date.now();
    switch (request.op) {
      case 'cache-statistics':
        return { store: await collectGarbage(store, { maxBytes: Number.POSITIVE_INFINITY, nowMs }) };
      case 'cache-collect':
        return this.#evicting(collectGarbage(store, { maxBytes: request.maxBytes ?? limit.maxBytes, nowMs }));
      case 'cache-verify':
        return this.#evicting(verifyStore(store));
      case 'cache-clear':
        return this.#clear(nowMs);
      default:
        return exhaustive(request);
    }
  }

  /** Results that have lost content go, too. */
  async #evicting(dropping: Promise<StoreSize>): Promise<Outcome> {
    const store = await dropping;
    return { store, droppedResultCount: await this.#options.results?.evict(this.#maxRecordBytes) };
  }

  /** Content goes with the results that needed it, unless those of another project need it as well. */
  async #clear(nowMs: number): Promise<Outcome> {
    const { store, results, stateDir, onNotice } = this.#options;
    const hashes = (await results?.clear()) ?? new Set();
    const elsewhere = await contentNeededElsewhere(stateDir, onNotice);
    for (const hash of elsewhere ?? hashes) hashes.delete(hash);
    return { store: await dropBlobs(store, { hashes, nowMs }), isContentKept: elsewhere === undefined };
  }

  get #maxRecordBytes(): number {
    return this.#options.limit.maxBytes * recordShare;
  }
}
