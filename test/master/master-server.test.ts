import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { MasterClient, type MasterEvent, runOnMaster } from '../../master/master-client.ts';
import { MasterServer } from '../../master/master-server.ts';
import type { MasterService } from '../../master/master-service.ts';
import { FrameWriter } from '../../protocol/frame.ts';
import { ShellFrame } from '../../protocol/frame-types.ts';
import { encodeRun, type RunRequest } from '../../protocol/run-request.ts';
import { AppError } from '../../runtime/app-error.ts';
import { succeed } from '../../runtime/failure.ts';
import { suite } from '../harness/suite.ts';
import { hanging } from './dispatcher-rig.ts';
import { masterServerRig } from './master-server-rig.ts';
import { runRequest } from './run-request.ts';

async function run(
  socketPath: string,
  request: RunRequest,
  { signal = new AbortController().signal, stdin = '' } = {},
) {
  let output = '';
  const end = await runOnMaster(socketPath, request, {
    write: (stream, chunk) => {
      output += `${stream}:${Buffer.from(chunk).toString()} `;
    },
    readStdin: async () => {
      const next = Buffer.from(stdin);
      stdin = '';
      return next;
    },
    signal,
  });
  return { output, end };
}

async function listen(path: string, service: Promise<MasterService>): Promise<MasterServer> {
  const server = new MasterServer(service);
  await server.open(path);
  return server;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

const quick = async () => await masterServerRig(async () => succeed(await manifest()));
async function manifest() {
  const { DispatcherRig } = await import('./dispatcher-rig.ts');
  return await new DispatcherRig().manifest();
}

suite('MasterServer', (test) => {
  test('runs commands of many shells at once', async () => {
    await using rig = await masterServerRig(async () => succeed(await rig.fakes.manifest({ stdout: 'out' })));
    const runs = Array.from({ length: 50 }, (_, i) =>
      run(rig.socketPath, runRequest(`gcc ${i}`, { cwd: rig.dir.path })),
    );
    for (const { output, end } of await Promise.all(runs)) {
      assert.is(output, 'stdout:out ');
      assert.equal(end, { kind: 'exit', code: 0 });
    }
  });

  test('gives the report of a build whose end is slow, also when it is told to end meanwhile', async () => {
    let finishWriting: () => void = () => {};
    let onClose: () => Promise<void> = async () => {};
    const isWriting = new Promise<void>((begun) => {
      onClose = () =>
        new Promise((written) => {
          finishWriting = written;
          begun();
        });
    });
    await using rig = await masterServerRig(async () => succeed(await manifest()), { onClose });
    const client = (await MasterClient.connect(rig.socketPath, () => {}))!;
    await client.ask('open-session', { circumstances: '' });
    const report = client.ask('report', { isBrokenOff: false });
    await isWriting;
    const closed = rig.close();
    await new Promise(setImmediate);
    finishWriting();
    assert.is((await report).report.commands, 0);
    await closed;
  });

  test('has a socket for its owner alone, also at a path longer than an address', async () => {
    await using rig = await quick();
    assert.is(statSync(rig.socketPath).mode & 0o777, 0o700);
    const deep = join(rig.dir.path, 'd'.repeat(150));
    mkdirSync(deep);
    const server = await listen(join(deep, '.termite-socket'), Promise.resolve(rig.service));
    const { end } = await run(join(deep, '.termite-socket'), runRequest('gcc', { cwd: rig.dir.path }));
    assert.equal(end, { kind: 'exit', code: 0 });
    await server[Symbol.asyncDispose]();
    assert.not(existsSync(join(deep, '.termite-socket')));
  });

  test('refuses to be the second', async () => {
    await using rig = await quick();
    assert.is(await codeOf(listen(rig.socketPath, Promise.resolve(rig.service))), 'master-running');
    assert.is((await run(rig.socketPath, runRequest('make'))).end?.kind, 'local');
  });

  test('takes the place of one that was killed, whoever of several comes first', async () => {
    await using rig = await quick();
    await rig.close();
    const script = `require('net').createServer().listen(${JSON.stringify(rig.socketPath)}, () => console.log('x'))`;
    const dead = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(dead.stdout, 'data');
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    assert.ok(existsSync(rig.socketPath));
    const server = await listen(rig.socketPath, Promise.resolve(rig.service));
    assert.equal((await run(rig.socketPath, runRequest('gcc', { cwd: rig.dir.path }))).end, {
      kind: 'exit',
      code: 0,
    });
    await server[Symbol.asyncDispose]();
    assert.not(existsSync(rig.socketPath));
  });

  test('does not touch a file that is no socket, nor a socket that is not its own any more', async () => {
    await using rig = await quick();
    const file = rig.dir.write('sub/.termite-socket', 'mine');
    assert.is(await codeOf(listen(file, Promise.resolve(rig.service))), 'cannot-listen');
    assert.is(rig.dir.read('sub/.termite-socket'), 'mine');

    rig.server.withdraw();
    const other = createServer().listen(rig.socketPath);
    await once(other, 'listening');
    await rig.close();
    assert.ok(existsSync(rig.socketPath));
    other.close();
  });

  test('lets those wait who come before it is ready, and tells them when it will not be', async () => {
    await using rig = await quick();
    const path = rig.dir.join('.other-socket');
    let fail: (error: Error) => void = () => {};
    const server = await listen(path, new Promise((_, reject) => (fail = reject)));
    const client = (await MasterClient.connect(path))!;
    const status = codeOf(client.ask('status'));
    const shell = run(path, runRequest('gcc'));
    fail(new AppError('Cannot read the project', { code: 'x' }));
    assert.is(await status, 'master-refused');
    assert.equal((await shell).end, { kind: 'cancelled' });
    await server[Symbol.asyncDispose]();
  });

  const nonsense: [name: string, frame: Buffer][] = [
    ['an unknown frame', new FrameWriter(0x7777).u32(1).finish()],
    ['a frame that is too long', Buffer.from('ffffffff01010000', 'hex')],
    ['a RUN that ends early', new FrameWriter(ShellFrame.run).u32(1).u32(5).finish()],
    ['a RUN of another version', new FrameWriter(ShellFrame.run).u32(9).finish()],
    ['a question that nobody knows', new FrameWriter(ShellFrame.control).text('{"op":"dance"}').finish()],
    ['a question that is no JSON', new FrameWriter(ShellFrame.control).text('{').finish()],
    [
      'an answer without a question',
      Buffer.concat([encodeRun(runRequest('gcc')), new FrameWriter(ShellFrame.stdin).u32(1).u32(0).finish()]),
    ],
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ];
  for (const [name, frame] of nonsense) {
    test(`hangs up on ${name}, and serves everybody else`, async () => {
      await using rig = await masterServerRig(hanging);
      const socket = connect(rig.socketPath);
      socket.write(frame);
      socket.resume();
      await once(socket, 'close');
      assert.is((await run(rig.socketPath, runRequest('make', { cwd: rig.dir.path }))).end?.kind, 'local');
    });
  }

  test('cancels a command when its shell says so, or goes away', async () => {
    let aborted = 0;
    let started: () => void = () => {};
    await using rig = await masterServerRig(async (job, signal) => {
      started();
      const result = await hanging(job, signal);
      aborted += 1;
      return result;
    });
    const request = runRequest('sleep', { cwd: rig.dir.path });
    let running = new Promise<void>((resolve) => (started = resolve));
    const cancel = new AbortController();
    const told = run(rig.socketPath, request, { signal: cancel.signal });
    await running;
    cancel.abort(15);
    assert.equal((await told).end, { kind: 'cancelled' });

    running = new Promise<void>((resolve) => (started = resolve));
    const socket = connect(rig.socketPath);
    socket.write(encodeRun(request));
    await running;
    socket.destroy();
    while (aborted < 2) await new Promise((resolve) => setImmediate(resolve));
  });

  test('asks the shell for stdin', async () => {
    let text = '';
    await using rig = await masterServerRig(async (job, signal) => {
      for (;;) {
        const chunk = await rig.fakes.stdinRoutes.read(job.id, 100, signal);
        if (chunk.length === 0) return succeed(await rig.fakes.manifest());
        text += Buffer.from(chunk).toString();
      }
    });
    await run(rig.socketPath, runRequest('cat', { cwd: rig.dir.path, isStdinEmpty: false }), {
      stdin: 'input',
    });
    assert.is(text, 'input');
  });

  test('ends what runs when it closes', async () => {
    await using rig = await masterServerRig(hanging);
    const told = run(rig.socketPath, runRequest('sleep', { cwd: rig.dir.path }));
    while (rig.fakes.jobs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await rig.close();
    assert.equal((await told).end, { kind: 'cancelled' });
  });
});

suite('MasterServer, for sessions', (test) => {
  test('reports on the commands that name the session', async () => {
    await using rig = await quick();
    const client = (await MasterClient.connect(rig.socketPath))!;
    const { id, jobs } = await client.ask('open-session');
    assert.ok(jobs >= 4);
    const cwd = rig.dir.path;
    await run(rig.socketPath, runRequest('gcc', { cwd, env: [`TERMITE_SESSION=${id}`] }));
    await run(rig.socketPath, runRequest('make', { cwd, env: [`TERMITE_SESSION=${id}`] }));
    await run(rig.socketPath, runRequest('gcc', { cwd, env: ['TERMITE_SESSION=other'] }));
    const { report } = await client.ask('report');
    assert.equal([report.commands, report.remote, report.local], [2, 1, 1]);
    assert.is(rig.counts.idle, 1);
  });

  test('kills what still runs when the build is over', async () => {
    await using rig = await masterServerRig(hanging);
    const client = (await MasterClient.connect(rig.socketPath))!;
    const { id } = await client.ask('open-session');
    const told = run(
      rig.socketPath,
      runRequest('sleep', { cwd: rig.dir.path, env: [`TERMITE_SESSION=${id}`] }),
    );
    while (rig.fakes.jobs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await client.ask('report');
    assert.equal((await told).end, { kind: 'signal', signal: 15 });
  });

  test('gives the commands of an owner that died back to their shells', async () => {
    await using rig = await masterServerRig(hanging);
    const client = (await MasterClient.connect(rig.socketPath))!;
    const { id } = await client.ask('open-session');
    const told = run(
      rig.socketPath,
      runRequest('sleep', { cwd: rig.dir.path, env: [`TERMITE_SESSION=${id}`] }),
    );
    while (rig.fakes.jobs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client[Symbol.dispose]();
    assert.equal((await told).end, { kind: 'cancelled' });
    assert.is(rig.counts.idle, 1);
  });

  test('refuses to begin with wrong rules, and tells when they become wrong', async () => {
    await using rig = await quick();
    const events: MasterEvent[] = [];
    const client = (await MasterClient.connect(rig.socketPath, (event) => events.push(event)))!;
    const { id } = await client.ask('open-session');
    rig.dir.write('.termite-localrc', '[{"Regex": "x"}]');
    const { output, end } = await run(
      rig.socketPath,
      runRequest('gcc', { cwd: rig.dir.path, env: [`TERMITE_SESSION=${id}`] }),
    );
    assert.match(output, /line 1: "Reg/);
    assert.equal(end, { kind: 'exit', code: 125 });
    await client.ask('status');
    assert.equal(events.filter(({ op }) => op === 'failed').length, 1);
    const second = (await MasterClient.connect(rig.socketPath))!;
    assert.is(await codeOf(second.ask('open-session')), 'master-refused');
    second[Symbol.dispose]();
    client[Symbol.dispose]();
  });

  test('lets nobody begin a build once its own end has begun', async () => {
    await using rig = await quick();
    const [first, second] = [
      await MasterClient.connect(rig.socketPath),
      await MasterClient.connect(rig.socketPath),
    ];
    await first!.ask('stop');
    const told = codeOf(second!.ask('open-session'));
    await rig.close();
    assert.is(await told, 'master-gone');
    assert.is(rig.sessions.count, 0);
  });

  test('tells its state, and stops when asked', async () => {
    await using rig = await quick();
    const client = (await MasterClient.connect(rig.socketPath))!;
    const status = await client.ask('status');
    assert.equal([status.pid, status.root, status.sessions], [process.pid, rig.dir.path, 0]);
    assert.equal(status.executors, [{ name: 'fake', slots: 4, running: 0 }]);
    await client.ask('stop');
    assert.is(rig.counts.stops, 1);
    await rig.close();
    await client.closed;
    assert.is(await codeOf(client.ask('status')), 'master-gone');
  });

  test('does not count as idle while a session is about to be opened', async () => {
    await using rig = await quick();
    let begin = () => {};
    rig.fakes.workspace.beginSession = () =>
      new Promise((resolve) => {
        begin = () => resolve(true);
      });
    const first = (await MasterClient.connect(rig.socketPath))!;
    const opening = first.ask('open-session', { circumstances: '' });
    while (rig.sessions.isIdle) await new Promise((wake) => setTimeout(wake, 5));
    await rig.sessions.close(rig.sessions.open(() => {}));
    assert.is(rig.counts.idle, 0);
    begin();
    await opening;
    assert.equal([rig.sessions.count, rig.counts.idle], [1, 0]);
  });

  test('ends, and opens no session, when another project stands in the place of its own', async () => {
    await using rig = await quick();
    rig.fakes.workspace.beginSession = async () => false;
    const client = (await MasterClient.connect(rig.socketPath))!;
    const asked = client.ask('open-session', { circumstances: '' });
    void asked.catch(() => {});
    while (rig.counts.stops === 0) await new Promise((wake) => setTimeout(wake, 5));
    assert.is(rig.sessions.count, 0);
    await rig.close();
    assert.is(await codeOf(asked), 'master-gone');
  });
});
