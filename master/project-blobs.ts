import type { BlobOptions, BlobStore } from '../cas/blob-store.ts';
import { equalDigests, formatDigest } from '../cas/digest.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { isErrno } from '../runtime/errno.ts';
import { Flights } from '../runtime/flights.ts';

export interface ProjectBlobsOptions {
  store: FileBlobStore;
  /** Directory blobs that are only in memory. */
  directoryBlob: (digest: Digest) => Buffer | undefined;
  /** Absolute paths of files that had this content when they were last looked at. */
  pathsOf: (digest: Digest) => readonly string[];
}

/**
 * The content of the master's machine by digest: Directory blobs of its snapshots, blobs of its store, and its own files,
 * which are copied into the store when somebody first asks for them. A file that has changed since is absent.
 */
export class ProjectBlobs implements Pick<BlobStore, 'get' | 'getMany' | 'read'> {
  readonly #options: ProjectBlobsOptions;
  readonly #imports = new Flights<boolean>();

  constructor(options: ProjectBlobsOptions) {
    this.#options = options;
  }

  async get(digest: Digest, options: BlobOptions = {}): Promise<Buffer | undefined> {
    const { directoryBlob, store } = this.#options;
    const inMemory = directoryBlob(digest);
    if (inMemory) return inMemory.length === digest.sizeBytes ? inMemory : undefined;
    const stored = await absentIfBad(store.get(digest, options));
    if (stored) return stored;
    return (await this.ensureStored(digest)) ? store.get(digest, options) : undefined;
  }

  async getMany(digests: readonly Digest[], options: BlobOptions = {}): Promise<(Buffer | undefined)[]> {
    const contents: (Buffer | undefined)[] = [];
    for (const digest of digests) contents.push(await this.get(digest, options));
    return contents;
  }

  async read(digest: Digest, options: BlobOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { directoryBlob, store } = this.#options;
    const inMemory = directoryBlob(digest);
    if (inMemory) return inMemory.length === digest.sizeBytes ? single(inMemory) : undefined;
    const stored = await absentIfBad(store.read(digest, options));
    if (stored) return stored;
    return (await this.ensureStored(digest)) ? store.read(digest, options) : undefined;
  }

  /** Copies the content of one of our files into the store if it is not there yet. @returns whether it is there now */
  ensureStored(digest: Digest): Promise<boolean> {
    return this.#imports.join(formatDigest(digest), () => this.#import(digest));
  }

  async #import(digest: Digest): Promise<boolean> {
    const { store, pathsOf } = this.#options;
    if ((await store.findMissing([digest])).length === 0) return true;
    for (const path of pathsOf(digest)) {
      try {
        if (equalDigests(await store.importFile(path), digest)) return true;
      } catch (error) {
        const isOther = error instanceof AppError && error.code === 'not-a-file';
        if (!isOther && !isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENXIO')) throw error;
      }
    }
    return false;
  }
}

/** A blob that went bad can be had again from the file that it is of. */
async function absentIfBad<T>(reading: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof AppError && error.code === 'digest-mismatch') return undefined;
    throw error;
  }
}

async function* single(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
