import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { succeed } from '../../runtime/failure.ts';
import { skip, suite } from '../harness/suite.ts';
import { runCommand } from '../rigs/command.ts';
import { type Behaviour, hanging } from './dispatcher-rig.ts';
import { masterServerRig } from './master-server-rig.ts';

const shell = resolve(import.meta.dirname, '../../..', 'native/build/libexec/sh');

async function shellRig(behaviour: Behaviour) {
  if (!existsSync(shell)) skip(`${shell} is not built`);
  const rig = await masterServerRig(behaviour);
  const env = { PATH: process.env['PATH'], TERMITE_SOCKET: rig.socketPath };
  const run = (
    line: string,
    options: { input?: string; started?: (child: ChildProcess) => void; env?: object } = {},
  ) => runCommand([shell, '-c', line], { cwd: rig.dir.path, ...options, env: { ...env, ...options.env } });
  return { ...rig, env, run };
}

suite('The shell and its master', (test) => {
  test('pass output, status and signals on', async () => {
    await using rig = await shellRig(async (job) => {
      const signal = { kind: 'signal', signal: 9 } as const;
      const status = job.argv[2] === 'die' ? signal : ({ kind: 'exit', code: 7 } as const);
      return succeed(await rig.fakes.manifest({ stdout: 'out\n', stderr: 'err\n', status }));
    });
    assert.equal(await rig.run('gcc'), { status: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.is((await rig.run('die')).status, 'SIGKILL');
    assert.equal(rig.fakes.jobs[0]!.job.argv, ['/bin/sh', '-c', 'gcc']);
    assert.is(rig.fakes.jobs[0]!.job.cwd, rig.dir.path);
  });

  test('pass a megabyte of any bytes on', async () => {
    const text = 'é\0\n'.repeat(300_000);
    await using rig = await shellRig(async () => succeed(await rig.fakes.manifest({ stdout: text })));
    assert.is((await rig.run('cat big')).stdout, text);
  });

  test('run a local command in the real shell', async () => {
    await using rig = await shellRig(hanging);
    rig.dir.write('.termite-localrc', '[{"Regexp": "^echo", "Local": true}]');
    const env = { TERMITE_SHELL: '/bin/bash' };
    assert.is((await rig.run('echo $0 \u0024{BASH_VERSION:+bash}', { env })).stdout, '/bin/bash bash\n');
  });

  test('keep what a local command starts to itself, unless told otherwise', async () => {
    await using rig = await shellRig(async () => succeed(await rig.fakes.manifest({ stdout: 'remote\n' })));
    rig.dir.write(
      '.termite-localrc',
      '[{"Regexp": "^: alone", "Local": true}, {"Regexp": "^: joins", "Local": true, "Recurse": true}]',
    );
    const inner = `${shell} -c 'gcc; printf local'`;
    assert.is((await rig.run(`: joins; ${inner}`)).stdout, 'remote\n');
    if (!execFileSync('strings', ['-a', shell], { encoding: 'latin1' }).includes('TERMITE_LOCAL'))
      skip('this shell does not know how');
    assert.is((await rig.run(`: alone; ${inner} 2>/dev/null`)).stdout, 'local');
  });

  test('give a local command the stdin and the environment that its rule wants', async () => {
    await using rig = await shellRig(hanging);
    const rule = {
      ...{ Regexp: '^cat', Local: true, Stdin: 'empty' },
      Env: { Unset: ['CI_*'], Set: { LC_ALL: 'C' } },
    };
    rig.dir.write('.termite-localrc', JSON.stringify([rule]));
    const env = { CI_JOB: '7', LC_ALL: 'de', KEPT: 'k' };
    const outcome = await rig.run('cat; echo "$CI_JOB $LC_ALL $KEPT"', { env, input: 'lost' });
    assert.is(outcome.stdout, ' C k\n');
  });

  test('forward stdin as it is read', async () => {
    await using rig = await shellRig(async (job, signal) => {
      let text = '';
      for (;;) {
        const chunk = await rig.fakes.stdinRoutes.read(job.id, 1000, signal);
        if (chunk.length === 0) return succeed(await rig.fakes.manifest({ stdout: text }));
        text += Buffer.from(chunk).toString();
      }
    });
    const input = 'line\n'.repeat(10_000);
    assert.is((await rig.run('cat', { input })).stdout, input);
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`cancel on ${signal}, of which the shell dies`, async () => {
      let ended = false;
      let child: ChildProcess | undefined;
      await using rig = await shellRig(async (job, abort) => {
        child?.kill(signal);
        const result = await hanging(job, abort);
        ended = true;
        return result;
      });
      const outcome = await rig.run('sleep 100', { started: (started) => (child = started) });
      assert.is(outcome.status, signal);
      assert.ok(ended);
      assert.is(rig.fakes.workspace.committed.length, 0);
    });
  }

  test('run the command locally when the master ends, with a word about it', async () => {
    await using rig = await shellRig(async (job, signal) => {
      setImmediate(() => void rig.close());
      return hanging(job, signal);
    });
    const outcome = await rig.run('cat /dev/null; printf %s local');
    assert.equal([outcome.status, outcome.stdout], [0, 'local']);
    assert.match(outcome.stderr, /master is gone: running locally/);
  });

  test('let the command fail when its result is applied half', async () => {
    await using rig = await shellRig(async () => succeed(await rig.fakes.manifest()));
    rig.fakes.workspace.whileCommitting = async () => {
      throw new Error('No space left on device');
    };
    const outcome = await rig.run('gcc');
    assert.is(outcome.status, 'SIGTERM');
    assert.match(outcome.stderr, /run make again/);
  });
});
