import type { RunRequest } from '../protocol/run-request.ts';

/** Tells when a process has ended, one that is no child of ours; rejects when that cannot be known any more. */
export interface ProcessWatch extends AsyncDisposable {
  processEnded(pid: number): Promise<void>;
}

export interface LocalSlotsOptions {
  /** At least 1. */
  slotCount: number;
  /** Called for the first slot that is taken, and for the next one after the watch was lost. */
  openWatch(): Promise<ProcessWatch>;
}

/** In the environment of a command that holds a slot. */
const holder = 'TERMITE_SLOT=';

/**
 * How many commands run beside make at the same time, first come first served: make starts as many as there are slots
 * everywhere, which would be too much for this machine alone.
 *
 * A slot belongs to the process that has asked, and that becomes the command: whatever that does or starts, and however it
 * ends, its end gives the slot back. What a command with a slot starts needs no further one, else all holders could wait
 * for each other.
 */
export class LocalSlots implements AsyncDisposable {
  readonly #options: LocalSlotsOptions;
  readonly #waiting: (() => void)[] = [];
  #freeCount: number;
  #watch: Promise<ProcessWatch> | undefined;

  constructor(options: LocalSlotsOptions) {
    this.#options = options;
    this.#freeCount = options.slotCount;
  }

  get freeCount(): number {
    return this.#freeCount;
  }

  /**
   * Resolves when the command may run: true when its process holds a slot from now on, false when it needs none. Rejects with
   * the signal's reason when that is aborted first.
   */
  async grant(
    { processId, env }: Pick<RunRequest, 'processId' | 'env'>,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (processId === 0 || env.some((entry) => entry.startsWith(holder))) return false;
    signal.throwIfAborted();
    if (this.#freeCount > 0) this.#freeCount -= 1;
    else await this.#wait(signal);
    void this.#ended(processId).finally(() => this.#release());
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const watch = await this.#watch?.catch(() => undefined);
    await watch?.[Symbol.asyncDispose]();
  }

  /** Also resolves when nobody can tell: a machine with too much to do is better than one that waits forever. */
  async #ended(processId: number): Promise<void> {
    this.#watch ??= this.#options.openWatch();
    const watch = this.#watch;
    try {
      await (await watch).processEnded(processId);
    } catch {
      if (this.#watch === watch) this.#watch = undefined;
    }
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

  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#freeCount += 1;
  }
}
