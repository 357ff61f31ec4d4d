import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import type { Executor } from '../../executor/executor.ts';
import { ExecutorClient } from '../../executor/executor-client.ts';
import { executorRoutes } from '../../executor/executor-server.ts';
import type { Job, JobResult } from '../../protocol/job.ts';
import { plainContext } from '../../protocol/process-context.ts';
import { HttpServer } from '../../runtime/http-server.ts';
import { testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';

const digest = digestOf(Buffer.from('x'));
const job: Job = {
  ...{
    id: 'job-1',
    origin: { id: 'here', epoch: 3, revision: 0, url: 'https://127.0.0.1:1' },
    projectRoot: '/p\udcff',
    root: digest,
  },
  ...{
    argv: ['sh', '-c', 'x\udcfe'],
    env: ['A=é'],
    cwd: '/p\udcff',
    umask: 0o22,
    uid: 1,
    gid: 2,
    shown: [{ path: '/tmp/a', mode: 0o700 }],
    context: { ...plainContext, host: 'build', ignoredSignals: 2n ** 63n },
    home: '/h',
  },
  ...{ mergeOutput: false, forwardStdin: true, network: false, timeoutMs: 5, slots: 1 },
};
const result: JobResult = {
  ok: true,
  value: {
    ...{
      status: { kind: 'signal', signal: 9 },
      stdout: digest,
      stderr: digest,
      reached: [{ kind: 'left-outside', path: '/tmp/\udc80' }],
      hiddenTrace: [],
    },
    changes: [
      {
        path: 'a\udcff',
        base: null,
        node: { type: 'file', digest, mode: 0o644, mtimeNs: 2n ** 60n + 1n },
        linkGroup: 1,
      },
      { path: 'b', base: { type: 'symlink', target: 'a' }, node: null },
    ],
    ...{ trace: [{ path: 'x', flags: 5 }], startedNs: 1n, finishedNs: 2n },
    resources: { userUs: 1, systemUs: 2, maxRssKib: 3 },
  },
};
const never = new AbortController().signal;

async function httpRig(execute: Executor['execute']) {
  const store = new MemoryBlobStore();
  const status = () => ({ name: 'far', url: 'https://127.0.0.1:1', slots: 1, free: 1, waiting: 0 });
  const server = await HttpServer.listen(executorRoutes({ executor: { execute }, store, status }), testToken);
  const client = new ExecutorClient('far', server.url, testToken);
  return {
    ...{ store, server, client },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await server.close({ deadlineMs: 0 });
    },
  };
}

suite('ExecutorClient', (test) => {
  test('execute() brings jobs and results over as they are', async () => {
    let received: Job | undefined;
    await using rig = await httpRig(async (given) => {
      received = given;
      return result;
    });
    assert.equal(await rig.client.execute(job, { signal: never }), result);
    assert.equal(received, job);
  });

  test('execute() brings failures over', async () => {
    const failure: JobResult = {
      ok: false,
      failure: { reason: 'limit', limit: { kind: 'refused-write', path: '/usr/\udcff' } },
    };
    await using rig = await httpRig(async () => failure);
    assert.equal(await rig.client.execute(job, { signal: never }), failure);
  });

  test('execute() cancels the job over there when aborted', async () => {
    const started = withResolvers<void>();
    const cancelled = withResolvers<JobResult>();
    await using rig = await httpRig((_job, { signal }) => {
      signal.addEventListener('abort', () =>
        cancelled.resolve({ ok: false, failure: { reason: 'cancelled' } }),
      );
      started.resolve();
      return cancelled.promise;
    });
    const aborter = new AbortController();
    const executing = rig.client.execute(job, { signal: aborter.signal });
    await started.promise;
    aborter.abort();
    assert.equal(await executing, { ok: false, failure: { reason: 'cancelled' } });
    await cancelled.promise;
  });

  test('execute() fails with `executor-lost` when the executor goes away, or is not there', async () => {
    const started = withResolvers<void>();
    await using rig = await httpRig((_job, { signal }) => {
      started.resolve();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(result)));
    });
    const executing = rig.client.execute(job, { signal: never });
    await started.promise;
    await rig.server.close({ deadlineMs: 0 });
    for (const outcome of [await executing, await rig.client.execute(job, { signal: never })]) {
      assert.is(outcome.ok ? '' : outcome.failure.reason, 'executor-lost');
      assert.is(!outcome.ok && outcome.failure.reason === 'executor-lost' && outcome.failure.executor, 'far');
    }
  });

  test('execute() gives up an answer of endless white space, and keeps nothing of it', async () => {
    const spaces = Buffer.alloc(1024 * 1024, ' ');
    const before = process.memoryUsage().arrayBuffers;
    let mostBytes = 0;
    const handle = () => ({
      stream: (async function* () {
        for (;;) {
          yield spaces;
          mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers - before);
        }
      })(),
    });
    await using server = await HttpServer.listen([{ method: 'POST', path: '/jobs', handle }], testToken);
    await using client = new ExecutorClient('far', server.url, testToken);
    const outcome = await client.execute(job, { signal: never });
    const failure = outcome.ok ? undefined : outcome.failure;
    assert.is(failure?.reason, 'executor-lost');
    assert.match(failure?.reason === 'executor-lost' ? failure.message : '', /longer than/);
    assert.ok(mostBytes < 64 * 1024 * 1024, `${mostBytes} bytes`);
  });

  test('blobs gives what jobs left in the store over there', async () => {
    await using rig = await httpRig(async () => result);
    await rig.store.put(digest, Buffer.from('x'));
    assert.equal(await rig.client.blobs.get(digest), Buffer.from('x'));
    // But takes none: a store could be filled that way.
    const other = Buffer.from('y');
    const refused = await rig.client.blobs.put(digestOf(other), other).then(
      () => 'taken',
      ({ code }) => code,
    );
    assert.is(refused, 'no-route');
  });
});

/** Like Promise.withResolvers, which the oldest supported Node does not have. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
