import { blobRoutes, readOnly } from '../cas/blob-server.ts';
import type { BlobStore } from '../cas/blob-store.ts';
import type { ExecutorInfo } from '../protocol/executor-info.ts';
import { jobSchema } from '../protocol/job.ts';
import type { Route } from '../runtime/http-server.ts';
import { encodeJson } from '../runtime/json.ts';
import type { Executor } from './executor.ts';

/** A client hears something at least this often, and may take an executor that is silent for longer for dead. */
export const heartbeatMs = 5_000;

export interface ExecutorServerOptions {
  executor: Executor;
  store: BlobStore;
  status: () => ExecutorInfo;
}

/** HTTP over an executor and its store; the other end is ExecutorClient. A client that goes away cancels its job. */
export function executorRoutes({ executor, store, status }: ExecutorServerOptions): Route[] {
  return [
    {
      method: 'POST',
      path: '/jobs',
      async handle(call) {
        const job = await call.json(jobSchema);
        const result = executor.execute(job, { signal: call.signal });
        return { stream: withHeartbeats(result.then((value) => Buffer.from(encodeJson(value)))) };
      },
    },
    { method: 'GET', path: '/status', handle: () => ({ json: status() }) },
    // What comes into the store is fetched: nobody brings it.
    ...blobRoutes(readOnly(store)),
  ];
}

/** White space before a JSON text is no part of it. */
async function* withHeartbeats(answer: Promise<Buffer>): AsyncGenerator<Uint8Array> {
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), heartbeatMs);
    });
    const bytes = await Promise.race([answer, silence]);
    clearTimeout(timer);
    yield bytes ?? Buffer.from(' ');
    if (bytes) return;
  }
}
