import type { ExecutorInfo } from '../protocol/executor-info.ts';
import { AppError } from '../runtime/app-error.ts';
import type { Clock } from '../runtime/clock.ts';

/** Five heartbeats. */
const silenceMs = 10_000;
const maxExecutors = 1_000;

/** Which executors are alive: those that were heard of within the last ten seconds. Pure over its clock. */
export class Registry {
  readonly #clock: Clock;
  readonly #executors = new Map<string, { info: ExecutorInfo; heardMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Registers an executor, or takes in what it says now. The latest to use a name has it.
   *
   * @throws AppError `too-many-executors`
   */
  hear(info: ExecutorInfo): void {
    this.#dropSilent();
    if (this.#executors.size >= maxExecutors && !this.#executors.has(info.name)) {
      throw new AppError(`Cannot list executor "${info.name}": there are ${maxExecutors} already`, {
        ...{ code: 'too-many-executors', category: 'caller' },
      });
    }
    this.#executors.set(info.name, { info, heardMs: this.#clock.nowMs() });
  }

  /** Forgets an executor; does nothing when it is not known. */
  remove(name: string): void {
    this.#executors.delete(name);
  }

  /** The live ones, sorted by name; drops the silent. */
  list(): ExecutorInfo[] {
    this.#dropSilent();
    return [...this.#executors.values()].map(({ info }) => info).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #dropSilent(): void {
    const now = this.#clock.nowMs();
    for (const [name, { heardMs }] of this.#executors) {
      if (now - heardMs > silenceMs) this.#executors.delete(name);
    }
  }
}
