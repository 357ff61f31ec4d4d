import type { CoordinatorClient } from '../coordinator/coordinator-client.ts';
import { ExecutorClient } from '../executor/executor-client.ts';
import type { ExecutorInfo } from '../protocol/executor-info.ts';
import { explainError } from '../runtime/app-error.ts';
import type { Token } from '../runtime/token.ts';
import type { ExecutorPool } from './executor-pool.ts';

const intervalMs = 2_000;

export interface CoordinatedExecutorsOptions {
  coordinator: Pick<CoordinatorClient, 'url' | 'list'>;
  /** For the executors. */
  token: Token;
  pool: ExecutorPool;
  /** Told once when the coordinator cannot be reached, and once when it can again. */
  report: (message: string) => void;
}

/**
 * Keeps the executors of a coordinator in the pool: those that it lists, asked every two seconds. While the coordinator
 * is away, the executors known so far stay.
 */
export class CoordinatedExecutors implements AsyncDisposable {
  readonly #options: CoordinatedExecutorsOptions;
  readonly #clients = new Map<string, { info: ExecutorInfo; client: ExecutorClient }>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #isLost = false;

  /** Resolves when the first list has come, or could not be had. */
  static async start(options: CoordinatedExecutorsOptions): Promise<CoordinatedExecutors> {
    const executors = new CoordinatedExecutors(options);
    await executors.#poll();
    return executors;
  }

  private constructor(options: CoordinatedExecutorsOptions) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const name of [...this.#clients.keys()]) await this.#drop(name);
  }

  async #poll(): Promise<void> {
    const { coordinator, report } = this.#options;
    try {
      await this.#take(await coordinator.list({ signal: this.#stopping.signal }));
      if (this.#isLost) report(`coordinator ${coordinator.url} is back`);
      this.#isLost = false;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!this.#isLost) report(`cannot reach the coordinator: ${explainError(error)}`);
      this.#isLost = true;
    }
    if (!this.#stopping.signal.aborted) this.#timer = setTimeout(() => void this.#poll(), intervalMs);
  }

  async #take(listed: readonly ExecutorInfo[]): Promise<void> {
    for (const [name, { info }] of this.#clients) {
      const now = listed.find((other) => other.name === name);
      if (now?.url !== info.url) await this.#drop(name);
    }
    for (const info of listed) {
      const client =
        this.#clients.get(info.name)?.client ?? new ExecutorClient(info.name, info.url, this.#options.token);
      this.#clients.set(info.name, { info, client });
      const { name, slots: slotCount } = info;
      this.#options.pool.add({ name, slotCount, executor: client, content: client.blobs });
    }
  }

  /** What it still runs fails, and is run elsewhere. */
  async #drop(name: string): Promise<void> {
    this.#options.pool.remove(name);
    const known = this.#clients.get(name);
    this.#clients.delete(name);
    await known?.client[Symbol.asyncDispose]();
  }
}
