import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { AppError } from '../../runtime/app-error.ts';
import { HttpClient } from '../../runtime/http-client.ts';
import { HttpServer, type Route } from '../../runtime/http-server.ts';
import { Scope } from '../../runtime/scope.ts';
import { otherToken, testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';

interface Rig extends AsyncDisposable {
  server: HttpServer;
  client: HttpClient;
}

async function rig(routes: Route[]): Promise<Rig> {
  const scope = new Scope();
  const server = scope.use(await HttpServer.listen(routes, testToken));
  const client = scope.use(new HttpClient(server.url, testToken));
  return { server, client, [Symbol.asyncDispose]: () => scope.close() };
}

const sums: Route = {
  method: 'POST',
  path: '/sum',
  handle: async (call) => ({ json: (await call.json(z.array(z.number()))).reduce((a, b) => a + b, 0) }),
};

async function errorOf(action: Promise<unknown>): Promise<AppError & NodeJS.ErrnoException> {
  return action.then(
    () => assert.unreachable('expected a rejection') as never,
    (error) => error,
  );
}

suite('HttpServer and HttpClient', (test) => {
  test('values go both ways as JSON, bigints as strings', async () => {
    await using r = await rig([
      sums,
      { method: 'GET', path: '/big', handle: () => ({ json: { value: 2n ** 60n } }) },
    ]);
    assert.is(await r.client.postJson('/sum', [1, 2, 3], z.number()), 6);
    assert.equal(await r.client.getJson('/big', z.object({ value: z.string() })), {
      value: '1152921504606846976',
    });
  });

  test('parameters and queries keep every byte', async () => {
    const echo: Route = {
      method: 'GET',
      path: '/echo/:name/end',
      handle: (call) => ({ json: [call.params.name, call.query('path')] }),
    };
    await using r = await rig([echo]);
    const { encodeUrlBytes } = await import('../../runtime/url-bytes.ts');
    for (const text of ['plain', 'a/b c+d%41&=?#', 'é€\u{1f41c}', '\udcff\udc80/x', '%zz']) {
      const path = `/echo/${encodeUrlBytes(text)}/end?other=1&path=${encodeUrlBytes(text)}`;
      assert.equal(await r.client.getJson(path, z.array(z.string())), [text, text]);
    }
  });

  test('errors reach the client with code, category and message', async () => {
    const failing: Route = {
      method: 'GET',
      path: '/fail/:how',
      handle: ({ params }) => {
        if (params.how === 'errno')
          throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', errno: -2 });
        if (params.how === 'bug') throw new Error('Internal error: oops');
        throw new AppError('Cannot do it', { code: 'some-code', category: params.how as 'caller' });
      },
    };
    await using r = await rig([failing]);
    const of = (how: string) => errorOf(r.client.getJson(`/fail/${how}`, z.any()));
    for (const category of ['caller', 'not-found', 'infrastructure']) {
      const error = await of(category);
      assert.instance(error, AppError);
      assert.equal([error.code, error.category], ['some-code', category]);
      assert.match(error.message, 'Cannot do it');
    }
    const errno = await of('errno');
    assert.not.instance(errno, AppError);
    assert.equal([errno.code, errno.errno], ['ENOENT', -2]);
    assert.is((await of('bug')).category, 'infrastructure');
    assert.is((await errorOf(r.client.getJson('/nowhere', z.any()))).code, 'no-route');
    assert.is((await errorOf(r.client.postJson('/fail/x', 1, z.any()))).code, 'no-route');
  });

  test('a body of another form, too long or no JSON is a bad request, and the connection goes on', async () => {
    await using r = await rig([
      sums,
      {
        method: 'PUT',
        path: '/short',
        handle: async (call) => ({ bytes: await call.bytes({ limitBytes: 10 }) }),
      },
    ]);
    assert.is((await errorOf(r.client.postJson('/sum', { no: 'list' }, z.any()))).code, 'bad-request');
    const put = (path: string, bytes: Buffer) => r.client.bytes({ method: 'PUT', path, bytes });
    assert.is((await errorOf(put('/short', Buffer.alloc(11)))).code, 'bad-request');
    assert.is((await errorOf(put('/short', Buffer.alloc(3_000_000)))).code, 'bad-request');
    assert.is((await put('/short', Buffer.alloc(10))).length, 10);
    const noJson = r.client.request({ method: 'POST', path: '/sum', bytes: Buffer.from('{') });
    assert.is((await errorOf(noJson)).code, 'bad-request');
  });

  test('an answer of another form is bad-answer', async () => {
    await using r = await rig([sums]);
    assert.is((await errorOf(r.client.postJson('/sum', [1], z.string()))).code, 'bad-answer');
  });

  test('streams go both ways, and one that breaks is an error for the reader', async () => {
    const content = Buffer.alloc(3_000_000, 'abc');
    await using r = await rig([
      { method: 'POST', path: '/echo', handle: (call) => ({ stream: call.body() }) },
      {
        method: 'GET',
        path: '/broken',
        handle: () => ({
          stream: (async function* () {
            yield content;
            throw new Error('broke');
          })(),
        }),
      },
    ]);
    const stream = (async function* () {
      for (let i = 0; i < 30; i++) yield content.subarray(i * 100_000, (i + 1) * 100_000);
    })();
    assert.ok((await r.client.bytes({ method: 'POST', path: '/echo', stream })).equals(content));
    const error = await errorOf(r.client.bytes({ method: 'GET', path: '/broken' }));
    assert.equal([error.code, error.category], ['connection-lost', 'infrastructure']);
  });

  test('aborting the request aborts the handler', async () => {
    let handlerSignal: AbortSignal | undefined;
    const started = deferred<void>();
    await using r = await rig([
      {
        method: 'GET',
        path: '/wait',
        handle: async (call) => {
          handlerSignal = call.signal;
          started.resolve();
          await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
          return {};
        },
      },
    ]);
    const aborter = new AbortController();
    const waiting = errorOf(r.client.getJson('/wait', z.any(), { signal: aborter.signal }));
    await started.promise;
    aborter.abort(new Error('changed my mind'));
    assert.is((await waiting).message, 'changed my mind');
    if (!handlerSignal!.aborted)
      await new Promise((resolve) => handlerSignal!.addEventListener('abort', resolve));
  });

  test('close() lets a running request finish', async () => {
    const started = deferred<void>();
    const go = deferred<void>();
    await using r = await rig([
      {
        method: 'GET',
        path: '/wait',
        handle: async () => {
          started.resolve();
          await go.promise;
          return { json: 'done' };
        },
      },
    ]);
    const answer = r.client.getJson('/wait', z.string());
    await started.promise;
    const closed = r.server.close({ deadlineMs: 15_000 });
    go.resolve();
    assert.is(await answer, 'done');
    await closed;
    assert.is((await errorOf(r.client.getJson('/wait', z.any()))).code, 'unreachable');
  });

  test('close() aborts what runs longer than its deadline', async () => {
    const started = deferred<void>();
    await using r = await rig([
      {
        method: 'GET',
        path: '/wait',
        handle: (call) => {
          started.resolve();
          return new Promise((_resolve, reject) =>
            call.signal.addEventListener('abort', () => reject(new Error('aborted'))),
          );
        },
      },
    ]);
    const answer = errorOf(r.client.getJson('/wait', z.any()));
    await started.promise;
    await r.server.close({ deadlineMs: 10 });
    assert.is((await answer).category, 'infrastructure');
  });

  test('a server that is not there is unreachable', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    await using client = new HttpClient(`https://127.0.0.1:${port}`, testToken);
    const error = await errorOf(client.getJson('/', z.any()));
    assert.equal([error.code, error.category], ['unreachable', 'infrastructure']);
  });

  test('a server that hangs up is unreachable, too', async () => {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    await using client = new HttpClient(`https://127.0.0.1:${port}`, testToken);
    assert.is((await errorOf(client.getJson('/', z.any()))).category, 'infrastructure');
    server.close();
  });

  test('listens on loopback addresses only', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '127.example.org', '']) {
      const error = await errorOf(HttpServer.listen([], testToken, { host }));
      assert.is(error.code, 'not-loopback', host);
      assert.match(error.hint!, '127.0.0.1');
    }
    for (const host of ['127.0.0.1', '127.0.0.5', 'localhost']) {
      await using server = await HttpServer.listen([], testToken, { host });
      assert.ok(server.port > 0);
    }
  });

  test('a port that is taken is cannot-listen', async () => {
    await using server = await HttpServer.listen([], testToken);
    assert.is((await errorOf(HttpServer.listen([], testToken, { port: server.port }))).code, 'cannot-listen');
  });

  test('a peer without the token gets nowhere, whichever end it is', async () => {
    let callCount = 0;
    const count: Route = { method: 'POST', path: '/count', handle: () => ({ json: ++callCount }) };
    await using r = await rig([count]);
    await using stranger = new HttpClient(r.server.url, otherToken);
    const error = await errorOf(stranger.postJson('/count', 'secret', z.any()));
    assert.is(error.code, 'unauthorized');
    assert.match(error.message, '"/other/termite/token"');
    assert.match(error.hint!, 'one user');
    // Nor does one that speaks without asking, or takes the place of a server.
    assert.is(await said(r.server.port, 'POST /count HTTP/1.1\r\nhost: localhost\r\n\r\n'), '');
    const heard: string[] = [];
    const trap = createServer((socket) =>
      socket.on('data', (chunk) => {
        heard.push(chunk.toString('latin1'));
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1');
      }),
    );
    trap.listen(0, '127.0.0.1');
    await once(trap, 'listening');
    const { port } = trap.address() as { port: number };
    await using client = new HttpClient(`https://127.0.0.1:${port}`, testToken);
    assert.is((await errorOf(client.postJson('/count', 'secret', z.any()))).code, 'unauthorized');
    trap.close();
    assert.not.match(heard.join(), 'secret');
    assert.not.match(heard.join(), testToken.key.toString('latin1'));
    assert.is(callCount, 0);
  });

  test('an answer to a body that nobody read leaves the connection usable', async () => {
    await using r = await rig([{ method: 'PUT', path: '/no', handle: () => ({ json: 'no' }) }]);
    for (let i = 0; i < 5; i++) {
      const answer = await r.client.bytes({ method: 'PUT', path: '/no', bytes: Buffer.alloc(2_000_000) });
      assert.is(answer.toString(), '"no"');
    }
  });
});

/** What a server says to these bytes until it hangs up. */
async function said(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let words = '';
  socket.on('data', (chunk) => {
    words += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return words;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
