import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describeError } from '../runtime/app-error.ts';
import type { Clock } from '../runtime/clock.ts';
import { isErrno } from '../runtime/errno.ts';
import type { FileBlobStore } from './file-blob-store.ts';
import { collectGarbage } from './garbage-collection.ts';

export interface StoreLimitOptions {
  maxBytes: number;
  clock: Clock;
  onNotice: (message: string) => void;
}

/** Between two looks at one store: meanwhile it may grow beyond its limit. */
const intervalMs = 60 * 60 * 1000;

/**
 * Keeps a store from growing beyond a size: drops what was not used for longest. It looks once an hour, or when somebody
 * says that the moment is quiet; whichever of the processes with this store does so first does it for all of them, which
 * the file `<store>/collected` tells.
 */
export class StoreLimit implements AsyncDisposable {
  readonly maxBytes: number;
  readonly #store: Pick<FileBlobStore, 'dir'>;
  readonly #options: StoreLimitOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #ending = new AbortController();
  #running: Promise<void> | undefined;

  constructor(store: Pick<FileBlobStore, 'dir'>, options: StoreLimitOptions) {
    this.#store = store;
    this.#options = options;
    this.maxBytes = options.maxBytes;
    this.#timer = setInterval(() => void this.enforce(), intervalMs).unref();
  }

  /** Collects garbage if that was not done lately. Never rejects: what cannot be dropped stays. */
  enforce(): Promise<void> {
    this.#running ??= this.#enforce()
      .catch((error) => {
        if (!this.#ending.signal.aborted)
          this.#options.onNotice(`The size of the store is not kept: ${describeError(error)}`);
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  /** What is not done yet is left to the next look. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#running;
  }

  async #enforce(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    if (!this.#isDue(nowMs)) return;
    // Before the work, so that nobody else begins it as well.
    writeFileSync(this.#stamp, `${this.maxBytes}\n`);
    await collectGarbage(this.#store, { maxBytes: this.maxBytes, nowMs, signal: this.#ending.signal });
  }

  /** Also when it was done for a larger limit. */
  #isDue(nowMs: number): boolean {
    try {
      const { mtimeMs } = statSync(this.#stamp);
      return mtimeMs <= nowMs - intervalMs || Number(readFileSync(this.#stamp, 'utf8')) > this.maxBytes;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return true;
      throw error;
    }
  }

  get #stamp(): string {
    return `${this.#store.dir}/collected`;
  }
}
