import type { Digest } from '../protocol/digest.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { digestOf, expectDigest } from './digest.ts';
import { verifyChunks } from './verify-chunks.ts';

/**
 * Adds: whatever is read is hashed, and bad content is an error. Put it around a store whose content somebody else
 * could have changed; FileBlobStore and HttpBlobStore do it themselves.
 */
export class VerifyingBlobStore implements BlobStore {
  readonly #inner: BlobStore;
  readonly #place: string;

  /** @param name how messages call the inner store */
  constructor(inner: BlobStore, name = 'Store') {
    this.#inner = inner;
    this.#place = `${name} has bad content`;
  }

  findMissing(digests: readonly Digest[], options?: BlobOptions): Promise<Digest[]> {
    return this.#inner.findMissing(digests, options);
  }

  async get(digest: Digest, options?: BlobOptions): Promise<Buffer | undefined> {
    const content = await this.#inner.get(digest, options);
    if (content) expectDigest(digest, digestOf(content), this.#place);
    return content;
  }

  async getMany(digests: readonly Digest[], options?: BlobOptions): Promise<(Buffer | undefined)[]> {
    const contents = await this.#inner.getMany(digests, options);
    for (const [i, content] of contents.entries()) {
      if (content) expectDigest(digests[i]!, digestOf(content), this.#place);
    }
    return contents;
  }

  async read(digest: Digest, options?: BlobOptions): Promise<AsyncIterable<Uint8Array> | undefined> {
    const chunks = await this.#inner.read(digest, options);
    return chunks && verifyChunks(digest, chunks, this.#place);
  }

  put(digest: Digest, content: Uint8Array | AsyncIterable<Uint8Array>, options?: BlobOptions): Promise<void> {
    return this.#inner.put(digest, content, options);
  }
}
