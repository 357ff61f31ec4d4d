import type { CoordinatorClient } from '../coordinator/coordinator-client.ts';
import type { ExecutorInfo } from '../protocol/executor-info.ts';
import { explainError } from '../runtime/app-error.ts';

const intervalMs = 2_000;
const withdrawDeadlineMs = 2_000;

export interface HeartbeatOptions {
  coordinator: CoordinatorClient;
  info: () => ExecutorInfo;
  /** Told once when the coordinator cannot be reached, and once when it can again. */
  report: (message: string) => void;
}

/** Keeps an executor on the coordinator's list until disposed of. A coordinator that is away may come back. */
export class Heartbeat implements AsyncDisposable {
  readonly #options: HeartbeatOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isLost = false;

  /** Resolves when the first attempt to register has ended, well or not. */
  static async start(options: HeartbeatOptions): Promise<Heartbeat> {
    const heartbeat = new Heartbeat(options);
    await heartbeat.#beat();
    return heartbeat;
  }

  private constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    if (this.#isLost) return;
    const { coordinator, info } = this.#options;
    // Should this fail, the coordinator drops the executor for its silence.
    await coordinator
      .withdraw(info().name, { signal: AbortSignal.timeout(withdrawDeadlineMs) })
      .catch(() => {});
  }

  async #beat(): Promise<void> {
    const { coordinator, info, report } = this.#options;
    try {
      await coordinator.announce(info(), { signal: this.#stopping.signal });
      if (this.#isLost) report(`coordinator ${coordinator.url} is back`);
      this.#isLost = false;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!this.#isLost) report(`cannot reach the coordinator: ${explainError(error)}`);
      this.#isLost = true;
    }
    if (!this.#stopping.signal.aborted) this.#timer = setTimeout(() => void this.#beat(), intervalMs);
  }
}
