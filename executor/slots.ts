/** Bounded concurrency, first come first served. */
export class Slots {
  readonly count: number;
  #freeCount: number;
  readonly #waiting: (() => void)[] = [];

  /** @param count at least 1 */
  constructor(count: number) {
    this.count = count;
    this.#freeCount = count;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for the right to run one job, given back by disposing of it (a second time does nothing). Rejects with the
   * signal's reason when it is aborted first; nothing is taken then.
   */
  async acquire(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#freeCount > 0) this.#freeCount -= 1;
    else await this.#wait(signal);
    return this.#slot();
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(take);
    });
  }

  #slot(): Disposable {
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        const next = this.#waiting.shift();
        if (next) next();
        else this.#freeCount += 1;
      },
    };
  }
}
