import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { blobRoutes } from '../../cas/blob-server.ts';
import { digestOf } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import { CoordinatorClient } from '../../coordinator/coordinator-client.ts';
import { ExecutorClient } from '../../executor/executor-client.ts';
import { executorInfoSchema } from '../../protocol/executor-info.ts';
import { type Child, spawnChild } from '../../runtime/child-process.ts';
import { HttpClient } from '../../runtime/http-client.ts';
import { HttpServer, type Route } from '../../runtime/http-server.ts';
import { encodeJson } from '../../runtime/json.ts';
import { Token } from '../../runtime/token.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import type { DiskOrigin } from './disk-origin.ts';
import { executorRig } from './executor-rig.ts';
import { endProcesses, untilProcess } from './processes.ts';

const dist = resolve(import.meta.dirname, '../..');

/** A daemon's main function in a process of its own. */
async function daemon(module: string, name: string, cacheHome: string, args: readonly string[]) {
  const code = `import(${JSON.stringify(join(dist, module))}).then((it) => it.${name}(process.argv.slice(1)))`;
  const child = await spawnChild(process.execPath, ['-e', code, '--', ...args], {
    env: { ...process.env, XDG_CACHE_HOME: cacheHome },
  });
  let words = '';
  child.stderr.on('data', (chunk) => {
    words += chunk;
  });
  return { child, url: await readyUrl(child, () => words), [Symbol.asyncDispose]: () => end(child) };
}

async function readyUrl(child: Child, words: () => string): Promise<string> {
  const ended = child.ended.then(() => 'ended');
  for (;;) {
    const [, url] = /ready on (\S+)/.exec(words()) ?? [];
    if (url) return url;
    const news = new Promise<string>((resolve) => child.stderr.once('data', () => resolve('said')));
    if ((await Promise.race([news, ended])) === 'ended')
      throw new Error(`Ended before it was ready: ${words()}`);
  }
}

async function end(child: Child): Promise<void> {
  child.kill('SIGTERM');
  await child.ended;
}

/** The part of a master that executors talk to. */
function originRoutes(origin: DiskOrigin): Route[] {
  const store = Object.assign(new MemoryBlobStore(), origin.blobs);
  return [
    ...blobRoutes(store),
    {
      method: 'GET',
      path: '/system/directory',
      handle: async (call) => ({ bytes: await origin.listDirectory(call.query('path')) }),
    },
    {
      method: 'POST',
      path: '/system/digest',
      handle: async (call) => ({ json: await origin.digestFile(call.query('path')) }),
    },
    {
      method: 'POST',
      path: '/jobs/:id/stdin',
      handle: async (call) => ({
        bytes: await origin.readStdin(call.params['id']!, Number(call.query('max'))),
      }),
    },
  ];
}

suite('termite executor', (test) => {
  test('lets nobody else into its folders, also where it makes them first', async () => {
    await using dir = await tempDir();
    {
      const args = ['--store', dir.join('state/cas'), '--slots', '1'];
      await using _executor = await daemon('executor/main.js', 'executorMain', dir.join('state-home'), args);
    }
    for (const name of ['state', 'state/cas', 'state/executor'])
      assert.is(statSync(dir.join(name)).mode & 0o777, 0o700, name);
  });

  test('keeps its store within the limit', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    const digests = [1, 2].map((byte) => digestOf(Buffer.alloc(2 ** 19 + 1, byte)));
    for (const [index, digest] of digests.entries()) {
      await store.put(digest, Buffer.alloc(2 ** 19 + 1, index + 1));
      utimesSync(store.pathOf(digest), 1e9 + index, 1e9 + index);
    }
    const args = ['--store', store.dir, '--cache-size-mib', '1', '--slots', '1'];
    await using _executor = await daemon('executor/main.js', 'executorMain', dir.path, args);
    while (store.holds(digests[0]!)) await new Promise((wake) => setTimeout(wake, 10));
    assert.ok(store.holds(digests[1]!));
  });

  test('registers, runs jobs over HTTP, finishes them when told to end, and dies of the signal', async () => {
    // Only for its origin and its jobs; also skips where there can be no sandbox.
    await using rig = await executorRig();
    await using dir = await tempDir();
    const token = Token.open(dir.join('termite'));
    await using origin = await HttpServer.listen(originRoutes(rig.origin), token);
    await using coordinator = await daemon('coordinator/main.js', 'coordinatorMain', dir.path, [
      '--listen',
      '127.0.0.1:0',
    ]);
    await using list = new CoordinatorClient(coordinator.url, token);
    const args = [
      '--coordinator',
      coordinator.url,
      '--store',
      dir.join('cas'),
      '--name',
      'far',
      '--slots',
      '2',
    ];
    await using executor = await daemon('executor/main.js', 'executorMain', dir.path, args);
    assert.equal(await list.list(), [{ name: 'far', url: executor.url, slots: 2, free: 2, waiting: 0 }]);

    await using client = new ExecutorClient('far', executor.url, token);
    const overrides = { origin: { id: 'there', epoch: 1, revision: 0, url: origin.url } };
    rig.origin.stdin = Buffer.from('from afar');
    const duration = `1000.3${process.pid}`;
    const line = `cat hello.txt - > out; echo done; sleep ${duration} || :`;
    const job = rig.job(['/bin/sh', '-c', line], { ...overrides, forwardStdin: true });
    const executing = client.execute(job, { signal: new AbortController().signal });
    await using http = new HttpClient(executor.url, token);
    await untilProcess(duration, true);
    assert.is((await http.getJson('/status', executorInfoSchema)).free, 1);
    executor.child.kill('SIGTERM');
    endProcesses(duration);
    const result = await executing;
    assert.ok(result.ok, encodeJson(result));
    assert.equal(await executor.child.ended, { kind: 'signal', signal: 15 });
    assert.equal(await list.list(), []);
    const store = await FileBlobStore.open(dir.join('cas'));
    const node = result.value.changes.find(({ path }) => path === 'out')?.node;
    assert.is(node?.type === 'file' && (await store.get(node.digest))?.toString(), 'hello\nfrom afar');
    assert.equal(readdirSync(dir.join('executor')), []);
  });

  test('kills what still runs after its deadline', async () => {
    await using rig = await executorRig();
    await using dir = await tempDir();
    const token = Token.open(dir.join('termite'));
    await using origin = await HttpServer.listen(originRoutes(rig.origin), token);
    const args = ['--store', dir.join('cas'), '--deadline-ms', '50'];
    await using executor = await daemon('executor/main.js', 'executorMain', dir.path, args);
    await using client = new ExecutorClient('far', executor.url, token);
    const job = rig.job(['/bin/sleep', '1000.4375'], {
      origin: { id: 'there', epoch: 1, revision: 0, url: origin.url },
    });
    const executing = client.execute(job, { signal: new AbortController().signal });
    await untilProcess('1000.4375', true);
    executor.child.kill('SIGINT');
    assert.not.ok((await executing).ok);
    assert.equal(await executor.child.ended, { kind: 'signal', signal: 2 });
    assert.equal(readdirSync(dir.join('executor')), []);
  });

  test('killed in mid-job, is lost to its client at once, and takes everything it ran with it', async () => {
    await using rig = await executorRig();
    await using dir = await tempDir();
    const token = Token.open(dir.join('termite'));
    await using origin = await HttpServer.listen(originRoutes(rig.origin), token);
    await using executor = await daemon('executor/main.js', 'executorMain', dir.path, [
      '--store',
      dir.join('cas'),
    ]);
    await using client = new ExecutorClient('far', executor.url, token);
    const job = rig.job(['/bin/sleep', '1000.375'], {
      origin: { id: 'there', epoch: 1, revision: 0, url: origin.url },
    });
    const executing = client.execute(job, { signal: new AbortController().signal });
    await untilProcess('1000.375', true);
    executor.child.kill('SIGKILL');
    const result = await executing;
    assert.is(result.ok ? '' : result.failure.reason, 'executor-lost');
    await untilProcess('1000.375', false);
    await untilProcess(dir.join('cas'), false);
    // The next one removes what it left on disk.
    await using _next = await daemon('executor/main.js', 'executorMain', dir.path, [
      '--store',
      dir.join('cas'),
    ]);
    assert.is(readdirSync(dir.join('executor')).length, 1);
  });
});
