import type { BlobStore } from '../cas/blob-store.ts';
import type { Amendments } from '../protocol/amendments.ts';
import type { Digest } from '../protocol/digest.ts';
import type { Job } from '../protocol/job.ts';

/**
 * By which everything is kept that comes from a job's origin. Its id is what a master says: another one that says the same must
 * not be taken for it, so the address counts as well.
 */
export function originKey({ id, url }: Job['origin']): string {
  return `${id} ${url}`;
}

/** How a file looks as long as nobody changes it. */
export interface FileSignature {
  sizeBytes: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  inode: bigint;
}

/** For an executor in the master's process. */
export interface LocalFiles {
  /** Of the master. */
  storeDir: string;
  /** Copies content straight into that store. False: not to be had. */
  fill(digest: Digest): Promise<boolean>;
  /** A file outside the project may be read where it is while it looks like this. Errors as with `digestFile`. */
  signFile(absolutePath: string): Promise<FileSignature>;
}

/**
 * The machine whose files are mirrored, as its executors see it. Errors of the two look-ups are system errors with the
 * `code` that the job should see (ENOENT, EACCES, ENOTDIR); anything else is an infrastructure failure.
 */
export interface Origin {
  /** Directory blobs of snapshots and content of files, by digest. */
  readonly blobs: Pick<BlobStore, 'get' | 'getMany' | 'read'>;
  /** What an executor on the same machine can have more cheaply. */
  readonly here?: LocalFiles;
  /** A directory outside the project as a shallow Directory blob: child directories and files carry no digest. */
  listDirectory(absolutePath: string): Promise<Uint8Array>;
  /** What changed of the directories that were listed, see `Job.origin`; nothing when that epoch is over. */
  amendments(epoch: number, sinceRevision: number): Promise<Amendments>;
  /** The digest of a file outside the project as it is now in this epoch. */
  digestFile(absolutePath: string): Promise<Digest>;
  /** The next bytes of a job's stdin, at most `maxBytes`; empty at its end. Waits until there are any. */
  readStdin(jobId: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}
