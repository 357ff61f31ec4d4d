import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { type Job, type JobResult, ObservationFlag } from '../../protocol/job.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { executorRig, reached } from './executor-rig.ts';
import { childrenOf, endProcesses, findProcesses, isChildOf, untilProcess } from './processes.ts';

function failureOf(result: JobResult) {
  assert.not.ok(result.ok, 'expected a failure');
  return (result as Extract<JobResult, { ok: false }>).failure;
}

const sleepForever = 'touch started; exec sleep 1000';

suite('SandboxExecutor', (test) => {
  test('execute() gives exit status, output and changes', async () => {
    await using rig = await executorRig();
    const outcome = await rig.sh('echo out; echo err >&2; cp hello.txt copy; rm hello.txt; exit 3');
    assert.equal(outcome.status, { kind: 'exit', code: 3 });
    assert.is(outcome.stdout, 'out\n');
    assert.is(outcome.stderr, 'err\n');
    assert.equal(
      outcome.manifest.changes.map(({ path, node }) => [path, node?.type]),
      [
        ['copy', 'file'],
        ['hello.txt', undefined],
      ],
    );
    assert.equal(await rig.store.get(digestOf(Buffer.from('hello\n'))), Buffer.from('hello\n'));
    assert.equal(readdirSync(rig.project), ['hello.txt'], 'the project itself is untouched');
  });

  test('execute() gives death by signal', async () => {
    await using rig = await executorRig();
    const { status } = await rig.sh('kill -SEGV $$');
    assert.equal(status, { kind: 'signal', signal: 11 });
  });

  test('execute() tells that memory was short while a job ran, whatever its status', async () => {
    await using dir = await tempDir();
    const vmstatFile = dir.join('vmstat');
    writeFileSync(vmstatFile, 'pgfault 7\noom_kill 4\noom_kill_x 9\n');
    await using rig = await executorRig({ vmstatFile });
    const isShort = async (line: string) => (await rig.sh(line)).manifest.wasShortOfMemory === true;
    assert.is(await isShort('true'), false);
    const duration = `1000.1${process.pid}`;
    const running = isShort(`sleep ${duration} || :`);
    await untilProcess(duration, true);
    writeFileSync(vmstatFile, 'oom_kill 5\n');
    endProcesses(duration);
    assert.is(await running, true);
    assert.is(await isShort('true'), false);
  });

  test('execute() fails when content goes bad while a job has it open, whatever the job makes of that', async () => {
    await using rig = await executorRig();
    const duration = `1000.2${process.pid}`;
    const running = rig.execute(['/bin/sh', '-c', `exec 3<hello.txt; sleep ${duration}; cat <&3; exit 0`]);
    await untilProcess(duration, true);
    truncateSync(rig.store.pathOf(digestOf(Buffer.from('hello\n'))));
    endProcesses(duration);
    assert.is(failureOf(await running).reason, 'sandbox');
  });

  test('execute() gives the order of merged output', async () => {
    await using rig = await executorRig();
    const { stdout } = await rig.sh('echo 1; echo 2 >&2; echo 3', { mergeOutput: true });
    assert.is(stdout, '1\n2\n3\n');
  });

  test('execute() gives the exact trace of the project', async () => {
    await using rig = await executorRig();
    rig.dir.write('project/d/inner', 'x');
    const { manifest } = await rig.sh('cat hello.txt; test -e absent; ls d');
    const trace = new Map(manifest.trace.map(({ path, flags }) => [path, flags]));
    assert.is(trace.get('hello.txt'), 1 | 4);
    assert.is(trace.get('absent'), 2);
    assert.is(trace.get('d')! & 16, 16);
    assert.not.ok(trace.has('d/absent'));
  });

  test('execute() compiles as the compiler does without it', async () => {
    await using rig = await executorRig();
    rig.dir.write('project/src/a.c', '#include <stdio.h>\nint main(void) { return puts("hi"); }\n');
    const { status, manifest, stderr } = await rig.sh('gcc -O2 -c -o a.o src/a.c');
    assert.equal(status, { kind: 'exit', code: 0 }, stderr);
    execFileSync('gcc', ['-O2', '-c', '-o', 'a.o', 'src/a.c'], { cwd: rig.project });
    const node = manifest.changes.find(({ path }) => path === 'a.o')?.node;
    assert.equal(node?.type === 'file' && node.digest, digestOf(readFileSync(`${rig.project}/a.o`)));
    assert.is(manifest.changes.length, 1);
  });

  test('execute() gives content of hard links and of names that are not UTF-8', async () => {
    await using rig = await executorRig();
    const { manifest } = await rig.sh('echo x > a; ln a b; printf y > "$(printf \'\\377\')"');
    assert.equal(
      manifest.changes.map(({ path, linkGroup }) => [path, linkGroup]),
      [
        ['a', 1],
        ['b', 1],
        ['\udcff', undefined],
      ],
    );
    assert.equal(
      await rig.store.findMissing(
        manifest.changes.flatMap(({ node }) => (node?.type === 'file' ? node.digest : [])),
      ),
      [],
    );
  });

  test('execute() feeds stdin on demand', async () => {
    await using rig = await executorRig();
    rig.origin.stdin = Buffer.alloc(300_000, 'abcdefg\n');
    const { stdout } = await rig.sh('wc -c', { forwardStdin: true });
    assert.is(stdout.trim(), '300000');
    assert.is((await rig.sh('wc -c')).stdout.trim(), '0');
  });

  test('execute() kills the command when aborted, and leaves nothing', async () => {
    await using rig = await executorRig();
    const aborter = new AbortController();
    const executing = rig.execute(['/bin/sleep', '1000.25'], {}, { signal: aborter.signal });
    await untilProcess('1000.25', true);
    aborter.abort();
    assert.equal(failureOf(await executing), { reason: 'cancelled' });
    await untilProcess('1000.25', false);
    assert.is(rig.running.slots.freeCount, 2);
  });

  test('execute() may be aborted before it starts and while it waits for a slot', async () => {
    await using rig = await executorRig({ slotCount: 1 });
    assert.equal(failureOf(await rig.execute(['/bin/true'], {}, { signal: AbortSignal.abort() })), {
      reason: 'cancelled',
    });
    const first = new AbortController();
    const second = new AbortController();
    const executing = rig.execute(['/bin/sh', '-c', sleepForever], {}, { signal: first.signal });
    const waiting = rig.execute(['/bin/true'], {}, { signal: second.signal });
    second.abort();
    assert.equal(failureOf(await waiting), { reason: 'cancelled' });
    first.abort();
    await executing;
    assert.is((await rig.sh('exit 4')).manifest.status.kind, 'exit');
  });

  test('execute() runs a job that takes all slots alone', async () => {
    await using rig = await executorRig({ slotCount: 2 });
    const large = new AbortController();
    const running = rig.execute(['/bin/sh', '-c', sleepForever], { slots: 9 }, { signal: large.signal });
    const { slots } = rig.running;
    while (slots.freeCount > 0) await new Promise((turn) => setImmediate(turn));
    const small = rig.sh('echo small');
    while (slots.waitingCount === 0) await new Promise((turn) => setImmediate(turn));
    large.abort();
    await running;
    assert.is((await small).stdout, 'small\n');
    assert.is(slots.freeCount, 2);
  });

  test('execute() fails with `timed-out` after the time-out', async () => {
    await using rig = await executorRig();
    const result = await rig.execute(['/bin/sleep', '1000'], { timeoutMs: 100 });
    assert.equal(failureOf(result), { reason: 'timed-out', timeoutMs: 100 });
  });

  test('execute() fails with `sandbox` when the sandbox cannot be made', async () => {
    await using rig = await executorRig();
    const failure = failureOf(await rig.execute(['/bin/true'], { cwd: `${rig.project}/absent` }));
    assert.is(failure.reason, 'sandbox');
    assert.match(failure.reason === 'sandbox' ? failure.message : '', 'absent');
  });

  test('execute() fails with `limit` for a socket', async () => {
    await using rig = await executorRig();
    const script = 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("s")) or die $!';
    const result = await rig.execute(['/usr/bin/perl', '-e', script]);
    assert.equal(failureOf(result), {
      reason: 'limit',
      limit: { kind: 'unsupported-output', path: 's' },
    });
  });

  test('execute() fails with `limit` for extended attributes of files and directories', async () => {
    await using rig = await executorRig();
    for (const make of ['echo > made', 'mkdir made']) {
      const script = `${make} && /usr/bin/python3 -c 'import os; os.setxattr("made", "user.note", b"x")'`;
      assert.equal(failureOf(await rig.execute(['/bin/sh', '-c', script])), {
        reason: 'limit',
        limit: { kind: 'unsupported-output', path: 'made' },
      });
    }
  });

  test('execute() tells which job was refused what, also when it succeeded and others ran at the same time', async () => {
    await using rig = await executorRig();
    const path = '/usr/termite-test';
    const writing = { kind: 'refused-write', path } as const;
    for (const _time of ['first', 'again']) {
      const [refused, ignored, others] = await Promise.all([
        reached(rig, `echo > ${path}`),
        reached(rig, `(echo > ${path}) 2>/dev/null; exit 0`),
        reached(rig, 'ls /usr >/dev/null'),
      ]);
      assert.equal([refused, ignored, others], [[writing], [writing], []]);
    }
    // What has lost its parent belongs to its job all the same.
    assert.equal(await reached(rig, `(sh -c "mkdir ${path}" 2>/dev/null &) ; sleep 0.3; exit 0`), [writing]);
  });

  test('execute() ends what is refused something and tries again for ever', async () => {
    await using rig = await executorRig();
    const path = '/usr/termite-test';
    assert.equal(await reached(rig, `until (echo > ${path}) 2>/dev/null; do :; done`), [
      { kind: 'refused-write', path },
    ]);
  });

  test('execute() tells what was looked for in the places of its own, and not what the job made there', async () => {
    await using rig = await executorRig();
    const look = async (script: string, overrides: Partial<Job> = {}) => {
      const { manifest } = await rig.sh(script, overrides);
      assert.equal(manifest.status, { kind: 'exit', code: 0 });
      return manifest.hiddenTrace
        .map(({ path, flags }) => ({ path, flags: flags & ~ObservationFlag.found }))
        .filter(({ flags }) => flags !== 0);
    };
    const { absent, listed } = ObservationFlag;
    assert.equal(await look('test ! -e /tmp/none'), [{ path: '/tmp/none', flags: absent }]);
    assert.equal(await look('for f in /var/tmp/*; do :; done'), [{ path: '/var/tmp', flags: listed }]);
    assert.equal(await look('echo x > /dev/shm/x; cat /dev/shm/x >/dev/null; rm /dev/shm/x'), [
      { path: '/dev/shm/x', flags: absent },
    ]);
    assert.equal(await look('mkdir /tmp/d; ls /tmp/d/none 2>/dev/null; rmdir /tmp/d'), [
      { path: '/tmp/d', flags: absent },
    ]);
    const shown = [
      ...rig.job(['true']).shown,
      { path: '/tmp/there', mode: 0o711 },
      { path: '/tmp/there/below', mode: 0o1777 },
    ];
    const beside = 'test "$(stat -c %a /tmp/there/below)" = 1777 && test ! -e /tmp/there/none';
    assert.equal(
      await look(`${beside} && mktemp -u -p /tmp/there/below >/dev/null`, { shown }).then(([first]) => first),
      {
        path: '/tmp/there/none',
        flags: absent,
      },
    );
  });

  test('execute() gives a job places of its own that are like the real ones', async () => {
    await using rig = await executorRig();
    const script = `
import os, socket, mmap, fcntl, tempfile
for place in ('/tmp', '/var/tmp', '/dev/shm'):
    os.chdir(place)
    with open('f', 'w+b') as f:
        f.write(b'x' * 8192); f.flush()
        m = mmap.mmap(f.fileno(), 8192); m[0] = 65; m.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
    assert open('f', 'rb').read(1) == b'A'
    os.link('f', 'g'); assert os.stat('f').st_nlink == 2
    os.mkdir('d'); os.mkdir('d/e'); os.rename('d', 'h'); os.rename('f', 'h/e/f')
    os.mkfifo('p'); os.symlink('g', 's'); assert os.readlink('s') == 'g'
    s = socket.socket(socket.AF_UNIX); s.bind('u'); s.listen()
    c = socket.socket(socket.AF_UNIX); c.connect(place + '/u')
    with tempfile.TemporaryFile(dir=place) as t: t.write(b'x')
    assert os.stat(place).st_mode & 0o7777 == 0o1777
    for name in ('g', 'p', 's', 'u', 'h/e/f'): os.unlink(name)
    os.rmdir('h/e'); os.rmdir('h')
`;
    const result = await rig.execute(['/usr/bin/python3', '-c', script]);
    assert.ok(result.ok);
    const { status, reached } = result.value;
    assert.equal([status, reached], [{ kind: 'exit', code: 0 }, []]);
  });

  test('execute() gives root the powers that he has over his own files, and no others', async () => {
    if (process.getuid!() !== 0) skip('only root has them');
    await using rig = await executorRig();
    rig.dir.write('project/gen.h', 'a\n');
    chmodSync(rig.dir.join('project/gen.h'), 0o444);
    mkdirSync(rig.dir.join('project/ro'), { mode: 0o555 });
    rig.dir.write('project/secret', 'secret\n');
    chmodSync(rig.dir.join('project/secret'), 0o000);
    const line =
      'echo b >> gen.h; echo x > ro/new; cat secret; chmod 600 secret; grep CapBnd /proc/self/status';
    const { status, stdout, stderr } = await rig.sh(line);
    assert.equal(status, { kind: 'exit', code: 0 }, stderr);
    assert.equal(stdout.split(/\s+/), ['secret', 'CapBnd:', '000000000000001a', '']);
    const ordinary = await rig.sh('cat secret', { uid: 1000, gid: 1000 });
    assert.equal(ordinary.status, { kind: 'exit', code: 1 });
  });

  test('execute() tells what was written outside and thrown away', async () => {
    await using rig = await executorRig();
    const { manifest } = await rig.sh('echo x > /var/tmp/left-over; mkdir /tmp/empty');
    assert.equal(manifest.reached.map((limit) => 'path' in limit && limit.path).sort(), [
      '/tmp/empty/',
      '/var/tmp/left-over',
    ]);
  });

  test('execute() fails with `content-missing` for content that nobody has', async () => {
    await using rig = await executorRig();
    const job = rig.job(['/bin/cat', 'hello.txt']);
    const digest = digestOf(Buffer.from('hello\n'));
    rig.origin.contents.delete(digest.hash);
    const result = await rig.running.executor.execute(job, { signal: new AbortController().signal });
    assert.equal(failureOf(result), { reason: 'content-missing', digest: `${digest.hash}/6` });
    assert.is((await rig.sh('cat hello.txt')).stdout, 'hello\n');
  });

  test('execute() finds a corrupt blob in the store, and fetches it again', async () => {
    await using rig = await executorRig();
    assert.is((await rig.sh('cat hello.txt')).stdout, 'hello\n');
    const blob = rig.store.pathOf(digestOf(Buffer.from('hello\n')));
    execFileSync('chmod', ['u+w', blob]);
    writeFileSync(blob, 'jello\n');
    assert.is((await rig.sh('cat hello.txt')).stdout, 'hello\n');
    assert.is(readFileSync(blob, 'utf8'), 'hello\n');
  });

  test('execute() fails when the origin is in trouble, and works again when it is not', async () => {
    await using rig = await executorRig();
    rig.origin.trouble = (what) => {
      if (what.startsWith('/usr')) throw new Error('the wire was cut');
    };
    const failure = failureOf(await rig.execute(['/usr/bin/env', 'true']));
    assert.is(failure.reason, 'sandbox');
    assert.match(failure.reason === 'sandbox' ? failure.message : '', 'the wire was cut');
    rig.origin.trouble = undefined;
    assert.equal((await rig.sh('/usr/bin/env true')).status, { kind: 'exit', code: 0 });
  });

  test('execute() passes the errors of the origin on to the command', async () => {
    await using rig = await executorRig();
    rig.origin.trouble = (what) => {
      if (what === '/etc') throw Object.assign(new Error('no'), { code: 'EACCES' });
    };
    const { status, stderr } = await rig.sh('ls /etc');
    assert.is.not(status.kind === 'exit' && status.code, 0);
    assert.match(stderr, 'Permission denied');
  });

  test('jobs of one epoch share a system mirror; each path is asked for once', async () => {
    await using rig = await executorRig({ slotCount: 4 });
    await Promise.all(Array.from({ length: 8 }, () => rig.sh('gcc --version')));
    assert.is(rig.running.mirrors.mirrors.length, 1);
    const { listed, digested } = rig.origin.asked;
    assert.is(new Set(listed).size, listed.length);
    assert.is(new Set(digested).size, digested.length);
  });

  test('a later epoch has a mirror of its own, and that of the former ends with its last job', async () => {
    await using rig = await executorRig();
    const at = (epoch: number) => ({
      origin: { id: 'here', epoch, revision: 0, url: 'https://127.0.0.1:1' },
    });
    const aborter = new AbortController();
    const executing = rig.execute(['/bin/sleep', '1000.5'], at(1), { signal: aborter.signal });
    await untilProcess('1000.5', true);
    await rig.sh('true', at(2));
    assert.is(rig.running.mirrors.mirrors.length, 2);
    aborter.abort();
    await executing;
    assert.is(rig.running.mirrors.mirrors.length, 1);
  });

  test('a job that makes no sense leaves nothing in the box', async () => {
    await using rig = await executorRig();
    await rig.sh('true');
    const box = findProcesses('--store').find((pid) => isChildOf(pid, process.pid))!;
    for (let i = 0; i < 30; i++) {
      assert.is(failureOf(await rig.execute(['/bin/true'], { umask: -1 })).reason, 'sandbox');
    }
    // One for the mirror, one that waits for the next job.
    while (childrenOf(box).length > 2) await new Promise((wake) => setTimeout(wake, 5));
    await rig.sh('true');
  });

  test('mirrors of many machines do not pile up', async () => {
    await using rig = await executorRig();
    for (let i = 0; i < 20; i++)
      await rig.sh('true', { origin: { id: `m${i}`, epoch: 1, revision: 0, url: 'https://127.0.0.1:1' } });
    assert.is(rig.running.mirrors.mirrors.length, 16);
  });

  test('a box that is killed fails its jobs with `sandbox`; the next job gets a new one', async () => {
    await using rig = await executorRig();
    const executing = rig.execute(['/bin/sleep', '1000.75']);
    await untilProcess('1000.75', true);
    const box = findProcesses('--store').find((pid) => isChildOf(pid, process.pid));
    process.kill(box!, 'SIGKILL');
    assert.is(failureOf(await executing).reason, 'sandbox');
    await untilProcess('1000.75', false);
    assert.is((await rig.sh('cat hello.txt')).stdout, 'hello\n');
  });

  test('closing ends running jobs and leaves no process, mount or folder', async () => {
    await using rig = await executorRig();
    await rig.sh('mkdir locked; touch locked/x; chmod 0 locked');
    const executing = rig.execute(['/bin/sleep', '1000.125']);
    await untilProcess('1000.125', true);
    await rig.running[Symbol.asyncDispose]();
    assert.not.ok((await executing).ok);
    assert.equal(findProcesses('1000.125'), []);
    assert.equal(readdirSync(rig.dir.join('executor')), []);
    assert.not.match(readFileSync('/proc/self/mounts', 'utf8'), rig.dir.path);
  });

  test('keeps origins apart by their addresses, for two may say the same id', async () => {
    await using rig = await executorRig();
    const origin = { id: 'here', epoch: 1, revision: 0, url: 'http://127.0.0.1:1' };
    await rig.sh('true', { origin });
    await rig.sh('true', { origin: { ...origin, url: 'http://127.0.0.1:2', epoch: 2 } });
    assert.is(rig.running.mirrors.mirrors.length, 2);
    await rig.sh('true', { origin: { ...origin, epoch: 2 } });
    assert.is(rig.running.mirrors.mirrors.length, 2);
  });
});
