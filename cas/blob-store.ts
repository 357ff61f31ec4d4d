import type { Digest } from '../protocol/digest.ts';

export interface BlobOptions {
  signal?: AbortSignal;
}

/**
 * Content by digest. The contract, kept by every implementation and decorator (test/contracts/blob-store.ts):
 *
 * - A blob that `get` or `read` hands out in full has the digest that was asked for; bad content is an error, never data.
 * - The empty blob always exists.
 * - Any number of callers may use one store at once, also to put the same blob.
 * - Errors: AppError `digest-mismatch` (category infrastructure) for content that is not what it claims to be,
 *   `disk-full` for ENOSPC/EDQUOT; nothing is left behind by a failed put.
 */
export interface BlobStore {
  /** Which of these are absent: a subset in the same order, duplicates removed. */
  findMissing(digests: readonly Digest[], options?: BlobOptions): Promise<Digest[]>;
  /** The whole content, for blobs that fit memory; undefined when absent. */
  get(digest: Digest, options?: BlobOptions): Promise<Buffer | undefined>;
  /** Many small blobs at once: result[i] belongs to digests[i]. */
  getMany(digests: readonly Digest[], options?: BlobOptions): Promise<(Buffer | undefined)[]>;
  /** The content as chunks, any size; undefined when absent. Throws in mid-stream when it turns out bad. */
  read(digest: Digest, options?: BlobOptions): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Stores content under its digest; rejects with `digest-mismatch` when it is not that. No-op when present. */
  put(digest: Digest, content: Uint8Array | AsyncIterable<Uint8Array>, options?: BlobOptions): Promise<void>;
}
