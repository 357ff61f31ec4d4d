import type { BlobStore } from '../cas/blob-store.ts';
import { formatDigest } from '../cas/digest.ts';
import type { Digest } from '../protocol/digest.ts';
import { AppError, describeError } from '../runtime/app-error.ts';
import { type Failure, fail, type Result, succeed } from '../runtime/failure.ts';
import { Flights } from '../runtime/flights.ts';
import { BlobBatcher } from './blob-batcher.ts';
import type { ByteLru } from './byte-lru.ts';

/** What goes into a batch; larger blobs are streamed into the store one by one. */
const smallBlobBytes = 256 * 1024;

/** The part of a file store that is needed here. */
export interface ContentStore extends Pick<BlobStore, 'put'> {
  /** Whether the blob is there and hashes to its digest; a bad one is removed. */
  verify(digest: Digest): Promise<boolean>;
}

export interface ContentOptions {
  store: ContentStore;
  /** Where content comes from. */
  source: Pick<BlobStore, 'getMany' | 'read'>;
  /** Brings a blob into the store without us, see `LocalFiles`. */
  fill?: ((digest: Digest) => Promise<boolean>) | undefined;
  /** Directory blobs, kept in memory only; may be shared with other origins. */
  directories: ByteLru;
  /** Of this executor, for failures. */
  name: string;
}

/**
 * Content of one origin for the jobs here: each blob is fetched at most once at a time, whoever waits for it. A fetch
 * goes on when a job that waits for it ends: others may wait as well, and the next job will want it.
 */
export class Content {
  readonly #options: ContentOptions;
  readonly #batcher: BlobBatcher;
  readonly #flights = new Flights<Result<void>>();

  constructor(options: ContentOptions) {
    this.#options = options;
    this.#batcher = new BlobBatcher(options.source);
  }

  /** A Directory blob, if it is in memory. */
  knownDirectory(digest: Digest): Uint8Array | undefined {
    return this.#options.directories.get(formatDigest(digest));
  }

  /** A Directory blob. Failures: `content-missing`, `sandbox` when the origin cannot be asked. */
  async directory(digest: Digest): Promise<Result<Uint8Array>> {
    const known = this.knownDirectory(digest);
    if (known) return succeed(known);
    try {
      const blob = await this.#batcher.get(digest);
      if (!blob) return fail({ reason: 'content-missing', digest: formatDigest(digest) });
      this.#options.directories.set(formatDigest(digest), blob);
      return succeed(blob);
    } catch (error) {
      return fail(this.#failureOf(error, digest));
    }
  }

  /**
   * Makes sure that the store has a blob, and that it is not corrupt. Failures: `content-missing`, `disk-full`,
   * `sandbox` when the origin cannot be asked.
   */
  provide(digest: Digest): Promise<Result<void>> {
    return this.#flights.join(formatDigest(digest), () => this.#provide(digest));
  }

  /** Resolves when no fetch is under way. */
  idle(): Promise<void> {
    return this.#flights.idle();
  }

  async #provide(digest: Digest): Promise<Result<void>> {
    const { store, source, fill } = this.#options;
    try {
      if ((await store.verify(digest)) || (await fill?.(digest))) return succeed(undefined);
      const isSmall = digest.sizeBytes <= smallBlobBytes;
      const content = isSmall ? await this.#batcher.get(digest) : await source.read(digest);
      if (!content) return fail({ reason: 'content-missing', digest: formatDigest(digest) });
      await store.put(digest, content);
      return succeed(undefined);
    } catch (error) {
      return fail(this.#failureOf(error, digest));
    }
  }

  #failureOf(error: unknown, digest: Digest): Failure {
    const code = error instanceof AppError ? error.code : undefined;
    if (code === 'disk-full') return { reason: 'disk-full', executor: this.#options.name };
    if (code === 'digest-mismatch') return { reason: 'content-missing', digest: formatDigest(digest) };
    return { reason: 'sandbox', message: `fetch ${formatDigest(digest)}: ${describeError(error)}` };
  }
}
