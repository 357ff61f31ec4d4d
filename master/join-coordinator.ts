import { CoordinatorClient } from '../coordinator/coordinator-client.ts';
import { Scope } from '../runtime/scope.ts';
import type { Token } from '../runtime/token.ts';
import { CoordinatedExecutors } from './coordinated-executors.ts';
import type { ExecutorPool } from './executor-pool.ts';

/** Keeps the executors of the coordinator at `url` in the pool until disposed of. */
export async function joinCoordinator(
  url: string,
  options: { token: Token; pool: ExecutorPool; report: (message: string) => void },
): Promise<AsyncDisposable> {
  const scope = new Scope();
  const coordinator = scope.use(new CoordinatorClient(url, options.token));
  scope.use(await CoordinatedExecutors.start({ coordinator, ...options }));
  return scope;
}
