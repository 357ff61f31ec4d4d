import { z } from 'zod';
import { type ExecutorInfo, executorInfoSchema } from '../protocol/executor-info.ts';
import { HttpClient } from '../runtime/http-client.ts';
import type { Token } from '../runtime/token.ts';
import { encodeUrlBytes } from '../runtime/url-bytes.ts';

/**
 * A coordinator, as executors and masters see it. Errors: those of HttpClient, `unreachable` when nobody answers.
 */
export class CoordinatorClient implements AsyncDisposable {
  readonly url: string;
  readonly #client: HttpClient;

  constructor(url: string, token: Token) {
    this.url = url;
    this.#client = new HttpClient(url, token, { connections: 1 });
  }

  /** Says that an executor is alive, and how it is doing. */
  async announce(info: ExecutorInfo, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#client.bytes({ method: 'POST', path: '/executors', json: info, ...options });
  }

  /** Takes an executor off the list; no error when it is not on it. */
  async withdraw(name: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#client.bytes({ method: 'DELETE', path: `/executors/${encodeUrlBytes(name)}`, ...options });
  }

  /** The live executors, sorted by name. */
  list(options: { signal?: AbortSignal } = {}): Promise<ExecutorInfo[]> {
    return this.#client.getJson('/executors', z.array(executorInfoSchema), options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}
