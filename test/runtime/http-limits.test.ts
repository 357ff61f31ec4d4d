import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectPlainly } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { HttpClient } from '../../runtime/http-client.ts';
import { HttpServer, type Route } from '../../runtime/http-server.ts';
import { secureClient } from '../../runtime/secure-connection.ts';
import { testToken } from '../fixtures/token.ts';
import { patience } from '../harness/slowness.ts';
import { suite } from '../harness/suite.ts';

const routes: Route[] = [
  { method: 'POST', path: '/read', handle: async (call) => ({ json: await call.json(z.any()) }) },
  { method: 'POST', path: '/unread', handle: () => ({}) },
  { method: 'GET', path: '/', handle: () => ({ json: 'here' }) },
  {
    method: 'GET',
    path: '/endless',
    handle: () => ({
      stream: (async function* () {
        for (;;) yield Buffer.alloc(64 * 1024, ' ');
      })(),
    }),
  },
];

/** A raw connection that has shown the token. */
async function peer(server: HttpServer, said = ''): Promise<TLSSocket> {
  const socket = connect({ port: server.port, host: '127.0.0.1', ...secureClient(testToken) });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(said);
  return socket;
}

/** Resolves when the server has hung up. */
async function hungUp(socket: Socket): Promise<void> {
  socket.resume();
  if (socket.closed) return;
  await new Promise((resolve) => socket.once('close', resolve));
}

const head = (path: string, more = '') => `POST ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`;
const shortMs = Math.round(patience(200));
const short = { headMs: shortMs, silenceMs: shortMs, discardMs: shortMs };

suite('HttpServer, and a peer that', (test) => {
  test('connects and says nothing: hangs up', async () => {
    await using server = await HttpServer.listen(routes, testToken, short);
    const stranger = connectPlainly(server.port, '127.0.0.1');
    stranger.on('error', () => {});
    await Promise.all([hungUp(stranger), hungUp(await peer(server))]);
  });

  test('says the half of a head: hangs up', async () => {
    await using server = await HttpServer.listen(routes, testToken, short);
    await hungUp(await peer(server, 'POST /read HTTP/1.1\r\nhost: local'));
  });

  test('says the half of a body: hangs up, whether anybody reads it or not', async () => {
    await using server = await HttpServer.listen(routes, testToken, short);
    for (const path of ['/read', '/unread', '/nowhere'])
      await hungUp(await peer(server, `${head(path, 'content-length: 10\r\n')}[1,`));
  });

  test('says a body without end: hangs up, whether anybody reads it or not', async () => {
    await using server = await HttpServer.listen(routes, testToken, short);
    for (const path of ['/read', '/unread', '/nowhere']) {
      const socket = await peer(server, head(path, 'transfer-encoding: chunked\r\n'));
      const chunk = Buffer.concat([
        Buffer.from('10000\r\n'),
        Buffer.alloc(0x10000, ' '),
        Buffer.from('\r\n'),
      ]);
      const timer = setInterval(
        () => socket.writable && socket.writableLength === 0 && socket.write(chunk),
        1,
      );
      await hungUp(socket);
      clearInterval(timer);
    }
  });

  test('does not take its answer: hangs up', async () => {
    await using server = await HttpServer.listen(routes, testToken, short);
    const socket = await peer(server, 'GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n');
    socket.pause();
    // Only writing tells a paused socket that nobody is there any more.
    const timer = setInterval(() => socket.write(' '), 10);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(timer);
  });

  test('does not wait for answers: hangs up', async () => {
    let runningCount = 0;
    let mostRunning = 0;
    const slow: Route = {
      method: 'GET',
      path: '/slow',
      handle: async (call) => {
        runningCount += 1;
        mostRunning = Math.max(mostRunning, runningCount);
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        runningCount -= 1;
        return {};
      },
    };
    await using server = await HttpServer.listen([slow], testToken);
    await hungUp(await peer(server, 'GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(1000)));
    assert.is(mostRunning, 1);
  });

  test('connects without end: does not take more than so many', async () => {
    await using server = await HttpServer.listen(routes, testToken, { maxConnections: 3 });
    const peers = await Promise.all([peer(server), peer(server), peer(server)]);
    const fourth = connectPlainly(server.port, '127.0.0.1');
    fourth.on('error', () => {});
    await hungUp(fourth);
    peers[0]!.destroy();
    await using client = new HttpClient(server.url, testToken);
    for (;;) {
      const answer = await client.getJson('/', z.string()).catch(() => 'full');
      if (answer === 'here') break;
    }
    for (const socket of peers) socket.destroy();
  });

  test('thinks before it goes on, but says everything: gets its answers', async () => {
    await using server = await HttpServer.listen(routes, testToken, short);
    const socket = await peer(server, head('/read', 'content-length: 3\r\n'));
    for (const part of ['[', '1', ']']) {
      await new Promise((wake) => setTimeout(wake, short.silenceMs / 2));
      socket.write(part);
    }
    const [answer] = await once(socket, 'data');
    assert.match(answer.toString(), /^HTTP\/1.1 200 /);
    socket.destroy();
  });
});

suite('HttpClient', (test) => {
  test('gives up an answer without end', async () => {
    await using server = await HttpServer.listen(routes, testToken);
    await using client = new HttpClient(server.url, testToken);
    const codeOf = (answer: Promise<unknown>) =>
      answer.then(
        () => '',
        ({ code }) => code,
      );
    assert.is(
      await codeOf(client.bytes({ method: 'GET', path: '/endless' }, { limitBytes: 1e6 })),
      'bad-answer',
    );
    assert.is(await codeOf(client.getJson('/endless', z.any())), 'bad-answer');
  });
});
