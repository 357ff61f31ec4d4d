import { setImmediate } from 'node:timers/promises';

/** Lets the event loop run now and then during long synchronous work. */
export class Breather {
  readonly #maxBusyMs: number;
  #since = performance.now();

  constructor(maxBusyMs = 8) {
    this.#maxBusyMs = maxBusyMs;
  }

  /** Whether it is time to `breathe`. */
  get isDue(): boolean {
    return performance.now() - this.#since > this.#maxBusyMs;
  }

  async breathe(): Promise<void> {
    await setImmediate();
    this.#since = performance.now();
  }
}
