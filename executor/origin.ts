import type { BlobStore } from '../cas/blob-store.ts';
import type { Digest } from '../protocol/digest.ts';

/**
 * The machine whose files are mirrored, as its executors see it. Errors of the two look-ups are system errors with the
 * `code` that the job should see (ENOENT, EACCES, ENOTDIR); anything else is an infrastructure failure.
 */
export interface Origin {
  /** Directory blobs of snapshots and content of files, by digest. */
  readonly blobs: Pick<BlobStore, 'get' | 'getMany' | 'read'>;
  /** Copies content straight into the store in that folder: for an executor that has the same one. False: not to be had. */
  readonly filler?: { storeDir: string; fill(digest: Digest): Promise<boolean> };
  /** A directory outside the project as a shallow Directory blob: child directories and files carry no digest. */
  listDirectory(absolutePath: string): Promise<Uint8Array>;
  /** The digest of a file outside the project as it is now in this epoch. */
  digestFile(absolutePath: string): Promise<Digest>;
  /** The next bytes of a job's stdin, at most `maxBytes`; empty at its end. Waits until there are any. */
  readStdin(jobId: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}
