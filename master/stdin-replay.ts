/** The next bytes, at most `maxBytes`; empty at the end. */
type Read = (maxBytes: number) => Promise<Uint8Array>;

/** More than this is not kept for another attempt. */
const maxKeptBytes = 16 * 1024 * 1024;

/**
 * The stdin of one command over several attempts to run it: what an attempt has consumed cannot be read from the
 * caller again, so it is kept, and each attempt reads it from the beginning.
 */
export class StdinReplay {
  readonly #read: Read;
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #reading: Promise<void> | undefined;
  #hasEnded = false;
  #isTruncated = false;

  constructor(read: Read) {
    this.#read = read;
  }

  /** Whether the caller's own stdin is still where it was. */
  get isUntouched(): boolean {
    return this.#keptBytes === 0 && !this.#hasEnded && !this.#isTruncated && this.#reading === undefined;
  }

  /** Whether another attempt can read all of it. */
  get canReplay(): boolean {
    return !this.#isTruncated;
  }

  /** A reader for one attempt. */
  attempt(): Read {
    let next = 0;
    return async (maxBytes) => {
      if (next === this.#kept.length && !this.#hasEnded) await this.#fill(maxBytes);
      const chunk = this.#kept[next] ?? Buffer.alloc(0);
      if (chunk.length <= maxBytes) {
        next += 1;
        if (this.#isTruncated) this.#kept[next - 1] = Buffer.alloc(0);
        return chunk;
      }
      this.#kept.splice(next, 1, chunk.subarray(0, maxBytes), chunk.subarray(maxBytes));
      return this.#kept[next++]!;
    };
  }

  /** An abandoned attempt's read goes on: its bytes have left the caller and belong to the next one. */
  #fill(maxBytes: number): Promise<void> {
    this.#reading ??= this.#read(maxBytes)
      .then((chunk) => {
        if (chunk.length === 0) this.#hasEnded = true;
        else this.#keep(chunk);
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  #keep(chunk: Uint8Array): void {
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
    if (this.#keptBytes <= maxKeptBytes) return;
    this.#isTruncated = true;
    this.#kept.fill(Buffer.alloc(0), 0, -1);
  }
}
