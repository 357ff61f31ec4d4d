/** Bounded concurrency, first come first served. */
export class Slots {
  readonly count: number;
  #freeCount: number;
  readonly #waiting: { count: number; take(): void }[] = [];

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
   *
   * @param count how many slots the job takes; all when there are fewer
   */
  async acquire(signal: AbortSignal, count = 1): Promise<Disposable> {
    signal.throwIfAborted();
    const wanted = Math.min(count, this.count);
    await this.#wait(wanted, signal);
    return this.#slots(wanted);
  }

  #wait(count: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = {
        count,
        take: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
        this.#serve();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiter);
      this.#serve();
    });
  }

  /** Who wants many slots is not overtaken by those who want few: else it might wait forever. */
  #serve(): void {
    for (let next = this.#waiting[0]; next && next.count <= this.#freeCount; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#freeCount -= next.count;
      next.take();
    }
  }

  #slots(count: number): Disposable {
    let areTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!areTaken) return;
        areTaken = false;
        this.#freeCount += count;
        this.#serve();
      },
    };
  }
}
