import { AppError } from '../runtime/app-error.ts';

/** The next bytes, at most `maxBytes`; empty at the end. */
type Read = (maxBytes: number) => Promise<Uint8Array>;

/** Which caller's stdin a job reads, while it runs. */
export class StdinRoutes {
  readonly #readers = new Map<string, Read>();

  /** @returns closes the route */
  open(jobId: string, read: Read): Disposable {
    this.#readers.set(jobId, read);
    return { [Symbol.dispose]: () => void this.#readers.delete(jobId) };
  }

  /**
   * Waits until there are bytes, or the end. Once aborted the bytes are not lost, but belong to the next attempt.
   *
   * @throws AppError `job-unknown` for a job that does not run, or that has no stdin
   */
  async read(jobId: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    const read = this.#readers.get(jobId);
    if (!read)
      throw new AppError(`No job "${jobId}" with stdin`, { code: 'job-unknown', category: 'not-found' });
    return await new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      read(maxBytes)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', onAbort));
    });
  }
}
