import type { Digest } from '../protocol/digest.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { formatDigest } from './digest.ts';

/** Larger blobs go from store to store as streams, one by one. */
const smallBlobBytes = 1024 * 1024;

/**
 * Adds: what the near store lacks is fetched from the far one and kept in the near one. A blob that several callers
 * want is fetched once; the small ones of a `getMany` or `fill` are fetched as one request. A fetch goes on when the
 * caller who began it aborts, for others may wait for it as well.
 */
export class ReadThroughBlobStore implements BlobStore {
  readonly #near: BlobStore;
  readonly #far: Pick<BlobStore, 'getMany' | 'read'>;
  /** Resolves to whether the far store has it: then the near one has it, too. */
  readonly #flights = new Map<string, Promise<boolean>>();

  constructor(near: BlobStore, far: Pick<BlobStore, 'getMany' | 'read'>) {
    this.#near = near;
    this.#far = far;
  }

  /** What the near store lacks; `fill` tells what is nowhere. */
  findMissing(digests: readonly Digest[], options?: BlobOptions): Promise<Digest[]> {
    return this.#near.findMissing(digests, options);
  }

  /** Makes the near store have these. @returns those that the far store lacks as well */
  async fill(digests: readonly Digest[], { signal }: BlobOptions = {}): Promise<Digest[]> {
    const wanted = await this.#near.findMissing(digests, signal ? { signal } : {});
    const grounded = wanted.filter((digest) => !this.#flights.has(formatDigest(digest)));
    const small = grounded.filter((digest) => digest.sizeBytes <= smallBlobBytes);
    const batch = this.#fetchSmall(small);
    for (const [i, digest] of small.entries()) {
      this.#launch(
        digest,
        batch.then((found) => found[i]!),
      );
    }
    for (const digest of grounded) {
      if (digest.sizeBytes > smallBlobBytes) this.#launch(digest, this.#fetchLarge(digest));
    }
    const flights = wanted.map((digest) => this.#flights.get(formatDigest(digest))!);
    const found = await abortable(Promise.all(flights), signal);
    return wanted.filter((_digest, i) => !found[i]);
  }

  async get(digest: Digest, options: BlobOptions = {}): Promise<Buffer | undefined> {
    const content = await this.#near.get(digest, options);
    if (content) return content;
    await this.fill([digest], options);
    return this.#near.get(digest, options);
  }

  async getMany(digests: readonly Digest[], options: BlobOptions = {}): Promise<(Buffer | undefined)[]> {
    await this.fill(digests, options);
    return this.#near.getMany(digests, options);
  }

  async read(digest: Digest, options: BlobOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    await this.fill([digest], options);
    return this.#near.read(digest, options);
  }

  /** Into the near store only. */
  put(digest: Digest, content: Uint8Array | AsyncIterable<Uint8Array>, options?: BlobOptions): Promise<void> {
    return this.#near.put(digest, content, options);
  }

  #launch(digest: Digest, flight: Promise<boolean>): void {
    const key = formatDigest(digest);
    this.#flights.set(key, flight);
    const land = () => this.#flights.delete(key);
    flight.then(land, land);
  }

  async #fetchSmall(digests: Digest[]): Promise<boolean[]> {
    const blobs = digests.length > 0 ? await this.#far.getMany(digests) : [];
    const found: boolean[] = [];
    for (const [i, blob] of blobs.entries()) {
      if (blob) await this.#near.put(digests[i]!, blob);
      found.push(blob !== undefined);
    }
    return found;
  }

  async #fetchLarge(digest: Digest): Promise<boolean> {
    const chunks = await this.#far.read(digest);
    if (chunks) await this.#near.put(digest, chunks);
    return chunks !== undefined;
  }
}

/** Stops waiting when `signal` aborts; what was waited for goes on. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort!);
  }
}
