/** The right to run one job. Give it back by disposing of it; a second time does nothing. */
export interface Slot extends Disposable {
  /** 0 … count - 1, unique among the slots that are taken. */
  readonly index: number;
}

/** Bounded concurrency, first come first served. */
export class Slots {
  readonly count: number;
  readonly #free: number[];
  readonly #waiting: ((index: number) => void)[] = [];

  /** @param count at least 1 */
  constructor(count: number) {
    this.count = count;
    // A stack: the slot given back last is taken first.
    this.#free = Array.from({ length: count }, (_, position) => count - 1 - position);
  }

  get freeCount(): number {
    return this.#free.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Waits for a slot. Rejects with the signal's reason when it is aborted first; nothing is taken then. */
  async acquire(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const index = this.#free.pop();
    return this.#slot(index ?? (await this.#wait(signal)));
  }

  #wait(signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const take = (index: number) => {
        signal.removeEventListener('abort', giveUp);
        resolve(index);
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(take);
    });
  }

  #slot(index: number): Slot {
    let isTaken = true;
    return {
      index,
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        const next = this.#waiting.shift();
        if (next) next(index);
        else this.#free.push(index);
      },
    };
  }
}
