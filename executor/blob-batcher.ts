import type { BlobStore } from '../cas/blob-store.ts';
import { formatDigest } from '../cas/digest.ts';
import type { Digest } from '../protocol/digest.ts';

const maxBatchBytes = 8 * 1024 * 1024;
const maxBatchCount = 512;

/**
 * Small blobs from elsewhere: what is asked for at once, e.g. by all frames that one read brought, goes out as one
 * request, and what is on its way is not asked for again. Waiting for more, until the event loop has turned, costs a
 * job 0.2 ms for each level of its tree when the origin is in this process.
 */
export class BlobBatcher {
  readonly #source: Pick<BlobStore, 'getMany'>;
  readonly #inFlight = new Map<string, Promise<Buffer | undefined>>();
  #batch: { digest: Digest; resolve: (result: Promise<Buffer | undefined>) => void }[] = [];

  constructor(source: Pick<BlobStore, 'getMany'>) {
    this.#source = source;
  }

  /** undefined: not there. Rejects as the source does. */
  get(digest: Digest): Promise<Buffer | undefined> {
    const key = formatDigest(digest);
    let flight = this.#inFlight.get(key);
    if (!flight) {
      flight = new Promise((resolve) => this.#enqueue(digest, resolve));
      this.#inFlight.set(key, flight);
      const land = () => this.#inFlight.delete(key);
      flight.then(land, land);
    }
    return flight;
  }

  #enqueue(digest: Digest, resolve: (result: Promise<Buffer | undefined>) => void): void {
    if (this.#batch.length === 0) queueMicrotask(() => this.#flush());
    this.#batch.push({ digest, resolve });
  }

  #flush(): void {
    const batch = this.#batch;
    this.#batch = [];
    for (let start = 0; start < batch.length; ) {
      let end = start + 1;
      let sizeBytes = batch[start]!.digest.sizeBytes;
      for (; end < batch.length && end - start < maxBatchCount; end++) {
        sizeBytes += batch[end]!.digest.sizeBytes;
        if (sizeBytes > maxBatchBytes) break;
      }
      const part = batch.slice(start, end);
      const blobs = this.#source.getMany(part.map(({ digest }) => digest));
      for (const [index, { resolve }] of part.entries()) resolve(blobs.then((found) => found[index]));
      start = end;
    }
  }
}
