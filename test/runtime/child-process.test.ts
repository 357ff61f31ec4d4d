import * as assert from 'uvu/assert';
import { AppError } from '../../runtime/app-error.ts';
import { runProgram, spawnChild } from '../../runtime/child-process.ts';
import { commandRig } from '../harness/command-rig.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('runProgram()', (test) => {
  test('gives signals that are to be ignored and blocked', async () => {
    const args = ['-E', 'Sig(Ign|Blk)', '/proc/self/status'];
    const { stdout } = await runProgram('grep', args, { signals: ['1', '4000'] });
    assert.is(stdout.toString(), 'SigBlk:\t0000000000004000\nSigIgn:\t0000000000000001\n');
  });

  test('collects output and status', async () => {
    const { status, stdout, stderr } = await runProgram('/bin/sh', ['-c', 'cat; echo trouble >&2; exit 3'], {
      input: 'in',
    });
    assert.equal(status, { kind: 'exit', code: 3 });
    assert.is(stdout.toString(), 'in');
    assert.is(stderr.toString(), 'trouble\n');
  });

  test('tells a death by signal from an exit', async () => {
    const { status } = await runProgram('/bin/sh', ['-c', 'kill -SEGV $$']);
    assert.equal(status, { kind: 'signal', signal: 11 });
  });

  test('passes a large input and a large output', async () => {
    const input = Buffer.alloc(5_000_000, 'termite');
    const { stdout } = await runProgram('cat', [], { input });
    assert.ok(stdout.equals(input));
  });

  test('takes a program that does not read its input', async () => {
    const { status } = await runProgram('true', [], { input: Buffer.alloc(1_000_000) });
    assert.equal(status, { kind: 'exit', code: 0 });
  });

  test('kills the program, and what it started, when the signal aborts', async () => {
    await using command = await commandRig();
    const aborter = new AbortController();
    const running = runProgram('/bin/sh', ['-c', `${command.commandLine}; true`], { signal: aborter.signal });
    const outcome = running.catch((error) => error);
    const run = await command.nextRun();
    aborter.abort(new Error('changed my mind'));
    assert.is((await outcome).message, 'changed my mind');
    await run.gone;
  });

  test('uses cwd and exactly the environment given', async () => {
    await using dir = await tempDir();
    const { stdout } = await runProgram('/bin/sh', ['-c', 'pwd; env'], {
      cwd: dir.path,
      env: { A: 'é', PWD: dir.path },
    });
    const lines = stdout.toString().trim().split('\n');
    assert.is(lines[0], dir.path);
    assert.ok(lines.includes('A=é'));
    assert.not.ok(lines.some((line) => line.startsWith('PATH=')));
  });
});

suite('spawnChild()', (test) => {
  test('names a program that cannot be started', async () => {
    const file = import.meta.filename;
    for (const program of ['/nowhere/program', 'no-such-program-anywhere', file]) {
      const error = await spawnChild(program, []).catch((thrown) => thrown);
      assert.instance(error, AppError);
      assert.is(error.code, 'cannot-start');
      assert.ok(error.message.includes(program));
    }
  });

  test('passes on arguments and variables that are no text, which Node would change on their way', async () => {
    const env = { PATH: process.env['PATH'], A: '\udc80' };
    const { stdout } = await runProgram('sh', ['-c', 'printf "%s %s" "$1" "$A"', 'sh', '\udcff'], { env });
    assert.equal([...stdout], [0xff, 0x20, 0x80]);
  });

  test('the child talks through its pipes, and exits with its orders', async () => {
    await using command = await commandRig();
    const [program, ...args] = command.argv;
    await using child = await spawnChild(program!, args);
    const run = await command.nextRun();
    assert.is(run.pid, child.pid);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    await run.print('one ');
    await run.print('two');
    await run.exit(7);
    assert.equal(await child.ended, { kind: 'exit', code: 7 });
    assert.is(Buffer.concat(chunks).toString(), 'one two');
  });

  test('ended tells the signal that a child died of', async () => {
    await using command = await commandRig();
    const [program, ...args] = command.argv;
    await using child = await spawnChild(program!, args, { stdout: 'ignore', stderr: 'ignore' });
    await (await command.nextRun()).die('SIGKILL');
    assert.equal(await child.ended, { kind: 'signal', signal: 9 });
    child.kill();
  });

  test('close() ends stdin and waits', async () => {
    const child = await spawnChild('/bin/sh', ['-c', 'cat; exit 4']);
    assert.equal(await child.close(), { kind: 'exit', code: 4 });
  });

  test('close() kills a child that does not exit when its stdin ends', async () => {
    const child = await spawnChild('sleep', ['1000']);
    assert.equal(await child.close({ graceMs: 50 }), { kind: 'signal', signal: 9 });
  });
});
