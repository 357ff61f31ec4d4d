import * as assert from 'uvu/assert';
import { blobRoutes } from '../../cas/blob-server.ts';
import { digestOf } from '../../cas/digest.ts';
import { HttpBlobStore } from '../../cas/http-blob-store.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import { HttpClient } from '../../runtime/http-client.ts';
import { type HttpReply, HttpServer, type Route } from '../../runtime/http-server.ts';
import { Scope } from '../../runtime/scope.ts';
import { assertMismatch, assertRejects, flip, readAll } from '../contracts/blob-store.ts';
import { contentOf } from '../contracts/content.ts';
import { testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';

interface Rig extends AsyncDisposable {
  store: HttpBlobStore;
  client: HttpClient;
}

async function rig(routes: Route[]): Promise<Rig> {
  const scope = new Scope();
  const server = scope.use(await HttpServer.listen(routes, testToken));
  const client = scope.use(new HttpClient(server.url, testToken, { connections: 2 }));
  return { store: new HttpBlobStore(client), client, [Symbol.asyncDispose]: () => scope.close() };
}

/** A server that gives its bytes to whatever it is asked for. */
function lying(reply: HttpReply): Route[] {
  return [
    { method: 'GET', path: '/blobs/:hash/:size', handle: () => reply },
    { method: 'POST', path: '/blobs/get-many', handle: () => reply },
    { method: 'POST', path: '/blobs/find-missing', handle: () => reply },
  ];
}

suite('HttpBlobStore, and who claims that a blob is huge', (test) => {
  test('does not take it into memory, at either end', async () => {
    const huge = { hash: 'a'.repeat(64), sizeBytes: 2 ** 40 };
    let askedCount = 0;
    const inner = new MemoryBlobStore();
    inner.getMany = async () => {
      askedCount += 1;
      return [];
    };
    await using r = await rig(blobRoutes(inner));
    const codeOf = (answer: Promise<unknown>) =>
      answer.then(
        () => '',
        ({ code }) => code,
      );
    assert.is(await codeOf(r.store.getMany([huge])), 'blob-too-large');
    assert.is(await codeOf(r.store.get(huge)), 'blob-too-large');
    for (const json of [[huge], Array(4097).fill({ hash: 'a'.repeat(64), sizeBytes: 1 })]) {
      const answer = r.client.bytes({ method: 'POST', path: '/blobs/get-many', json });
      assert.is(await codeOf(answer), 'bad-request');
    }
    assert.is(askedCount, 0);
  });
});

suite('HttpBlobStore', (test) => {
  const content = contentOf(100_000, 1);
  const digest = digestOf(content);

  test('bad content from the other side is an error, never data', async () => {
    for (const bad of [
      flip(content),
      content.subarray(1),
      Buffer.concat([content, Buffer.from('x')]),
      Buffer.alloc(0),
    ]) {
      await using r = await rig(lying({ bytes: bad }));
      await assertMismatch(() => r.store.get(digest));
      await assertMismatch(async () => readAll((await r.store.read(digest))!));
    }
    await using r = await rig(lying({ bytes: Buffer.concat([Buffer.from([1]), flip(content)]) }));
    await assertMismatch(() => r.store.getMany([digest]));
  });

  test('getMany() refuses an answer that ends too early or goes on', async () => {
    const whole = Buffer.concat([Buffer.from([1]), content]);
    for (const bytes of [Buffer.alloc(0), whole.subarray(0, -1), Buffer.concat([whole, Buffer.from([0])])]) {
      await using r = await rig(lying({ bytes }));
      await assertRejects(() => r.store.getMany([digest]), /answer (ends too early|goes on)/);
    }
  });

  test('read() never hands out the last chunk of bad content', async () => {
    await using r = await rig(lying({ bytes: flip(content) }));
    let sizeBytes = 0;
    await assertMismatch(async () => {
      for await (const chunk of (await r.store.read(digest))!) sizeBytes += chunk.byteLength;
    });
    assert.ok(sizeBytes < content.length);
  });

  test('findMissing() refuses an answer of another form', async () => {
    await using r = await rig(lying({ json: ['no digest'] }));
    await assertRejects(() => r.store.findMissing([digest]), /another form/);
  });

  test('a server without put refuses it', async () => {
    const inner = new MemoryBlobStore();
    const readOnly = { get: inner.get, getMany: inner.getMany, read: inner.read.bind(inner) };
    await using r = await rig(blobRoutes(readOnly));
    await assertRejects(() => r.store.put(digest, content), /No such route/);
    assert.is(await r.store.get(digest), undefined);
  });

  test('blobs left early and absent ones do not use up the connections', async () => {
    const inner = new MemoryBlobStore();
    const large = contentOf(3_000_000, 2);
    await inner.put(digestOf(large), large);
    await using r = await rig(blobRoutes(inner));
    for (let i = 0; i < 5; i++) {
      for await (const _chunk of (await r.store.read(digestOf(large)))!) break;
      assert.is(await r.store.get(digest), undefined);
    }
    assert.ok((await r.store.get(digestOf(large)))!.equals(large));
  });

  test('getMany() asks for more than one request holds', async () => {
    const inner = new MemoryBlobStore();
    const contents = Array.from({ length: 9000 }, (_value, i) => Buffer.from(`blob ${i}`));
    for (const blob of contents) await inner.put(digestOf(blob), blob);
    await using r = await rig(blobRoutes(inner));
    assert.equal(await r.store.getMany(contents.map(digestOf)), contents);
    const large = Array.from({ length: 5 }, (_value, i) => contentOf(9_000_000, i));
    for (const blob of large) await inner.put(digestOf(blob), blob);
    const results = await r.store.getMany(large.map(digestOf));
    for (const [i, blob] of results.entries()) assert.ok(blob!.equals(large[i]!));
  });

  test('the server answers a hostile path with bad-digest', async () => {
    await using r = await rig(blobRoutes(new MemoryBlobStore()));
    for (const path of ['/blobs/..%2f..%2fetc%2fpasswd/5', `/blobs/${'a'.repeat(64)}/-1`]) {
      await assertRejects(() => r.client.request({ method: 'GET', path }), /Cannot read digest/);
    }
  });
});
