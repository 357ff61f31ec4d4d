import type { Digest } from '../protocol/digest.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { chunksOf, collect } from './chunks.ts';
import { digestOf, emptyDigest, expectDigest, formatDigest } from './digest.ts';

/** The reference: blobs in a Map. For tests, and for the few blobs that live as long as their process. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<string, Buffer>([[formatDigest(emptyDigest), Buffer.alloc(0)]]);

  get blobCount(): number {
    return this.#blobs.size;
  }

  async findMissing(digests: readonly Digest[]): Promise<Digest[]> {
    const missing = new Map<string, Digest>();
    for (const digest of digests) {
      const key = formatDigest(digest);
      if (!this.#blobs.has(key)) missing.set(key, digest);
    }
    return [...missing.values()];
  }

  async get(digest: Digest): Promise<Buffer | undefined> {
    const content = this.#blobs.get(formatDigest(digest));
    return content && Buffer.from(content);
  }

  async getMany(digests: readonly Digest[]): Promise<(Buffer | undefined)[]> {
    return Promise.all(digests.map((digest) => this.get(digest)));
  }

  async read(digest: Digest): Promise<AsyncIterable<Uint8Array> | undefined> {
    const content = await this.get(digest);
    return content && chunksOf(content);
  }

  async put(
    digest: Digest,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    { signal }: BlobOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    const bytes =
      content instanceof Uint8Array ? Buffer.from(content) : await collect(content, digest.sizeBytes, signal);
    expectDigest(digest, digestOf(bytes), `Cannot store blob ${formatDigest(digest)}`);
    this.#blobs.set(formatDigest(digest), bytes);
  }
}
