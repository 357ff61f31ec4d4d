import * as assert from 'uvu/assert';
import { CoordinatorClient } from '../../coordinator/coordinator-client.ts';
import { coordinatorRoutes } from '../../coordinator/coordinator-server.ts';
import { Registry } from '../../coordinator/registry.ts';
import type { ExecutorInfo } from '../../protocol/executor-info.ts';
import { HttpServer } from '../../runtime/http-server.ts';
import { testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';

const info: ExecutorInfo = {
  name: 'one.two-3_x',
  url: 'https://127.0.0.1:4711',
  slots: 4,
  free: 3,
  waiting: 0,
};

suite('CoordinatorClient', (test) => {
  test('announce(), list() and withdraw() reach the registry of the server', async () => {
    let nowMs = 0;
    await using server = await HttpServer.listen(
      coordinatorRoutes(new Registry({ nowMs: () => nowMs })),
      testToken,
    );
    await using client = new CoordinatorClient(server.url, testToken);
    assert.equal(await client.list(), []);
    await client.announce(info);
    await client.announce({ ...info, free: 0, waiting: 2 });
    assert.equal(await client.list(), [{ ...info, free: 0, waiting: 2 }]);
    await client.withdraw(info.name);
    await client.withdraw(info.name);
    assert.equal(await client.list(), []);
    await client.announce(info);
    nowMs = 10_001;
    assert.equal(await client.list(), []);
  });

  test('announce() rejects with `bad-request` what is no executor', async () => {
    await using server = await HttpServer.listen(
      coordinatorRoutes(new Registry({ nowMs: () => 0 })),
      testToken,
    );
    await using client = new CoordinatorClient(server.url, testToken);
    for (const wrong of [
      { ...info, slots: 0 },
      { ...info, name: 'a/b' },
      { ...info, url: 'file:///x' },
    ]) {
      const error = await client.announce(wrong).then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.is(error?.code, 'bad-request');
    }
    assert.equal(await client.list(), []);
  });

  test('list() rejects with `unreachable` when nobody listens', async () => {
    const server = await HttpServer.listen([], testToken);
    const { url } = server;
    await server.close();
    await using client = new CoordinatorClient(url, testToken);
    const error = await client.list().then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.is(error?.code, 'unreachable');
  });
});
