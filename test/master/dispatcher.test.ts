import * as assert from 'uvu/assert';
import { ObservationFlag } from '../../protocol/job.ts';
import { AppError } from '../../runtime/app-error.ts';
import { type Failure, fail, succeed } from '../../runtime/failure.ts';
import type { Limit } from '../../runtime/limit.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { DispatcherRig, FakeCaller, failing, hanging, succeeding } from './dispatcher-rig.ts';
import { runRequest } from './run-request.ts';

const lost = (executor: string): Failure => ({ reason: 'executor-lost', executor, message: 'gone' });
const sandbox: Failure = { reason: 'sandbox', message: 'no mount' };

suite('Dispatcher', (test) => {
  test('tells the caller of the commit, then all of stdout, all of stderr, and the end', async () => {
    const rig = new DispatcherRig();
    const manifest = rig.manifest({
      stdout: 'out',
      stderr: 'err',
      status: { kind: 'exit', code: 3 },
    });
    rig.addExecutor('a', succeeding(manifest));
    const caller = await rig.dispatch(runRequest('gcc'));
    assert.equal(caller.told, ['committing', 'stdout:out', 'stderr:err', 'exit 3']);
    const report = rig.session.report();
    assert.equal([report.commands, report.remote, report.failed, report.local], [1, 1, 1, 0]);
  });

  test('passes a death by signal on', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest({ status: { kind: 'signal', signal: 11 } })));
    assert.equal((await rig.dispatch(runRequest('crash'))).told, ['committing', 'signal 11']);
  });

  test('makes the job of what the shell said and of the present snapshot', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest()));
    const env = ['HOME=/home/me', 'MAKEFLAGS= -j4 --jobserver-auth=3,4', 'TERMITE_SOCKET=/x'];
    await rig.dispatch(runRequest('gcc', { cwd: '/project/sub', env, umask: 0o77, mergeOutput: true }));
    const { job } = rig.jobs[0]!;
    assert.equal(job.argv, ['/bin/sh', '-c', 'gcc']);
    assert.equal(job.env, ['HOME=/home/me', 'MAKEFLAGS=']);
    assert.equal(
      [job.cwd, job.umask, job.home, job.mergeOutput, job.forwardStdin],
      ['/project/sub', 0o77, '/home/me', true, false],
    );
    assert.equal(job.origin, { id: 'origin', url: 'http://origin', epoch: 1, revision: 0 });
    await rig.dispatch(runRequest('', { argv: ['gcc', 'x'], isExec: true }));
    assert.equal(rig.jobs[1]!.job.argv, ['gcc', 'x']);
    assert.is.not(rig.jobs[1]!.job.id, job.id);
  });

  test('sends large output in pieces, and waits for a slow caller', async () => {
    const rig = new DispatcherRig();
    const size = 1_000_000;
    rig.addExecutor('a', succeeding(rig.manifest({ stdout: 'x'.repeat(size) })));
    const caller = new FakeCaller();
    let writing = 0;
    caller.onWrite = async () => {
      assert.is(++writing, 1);
      await new Promise((resolve) => setImmediate(resolve));
      writing -= 1;
    };
    await rig.dispatch(runRequest('seq'), caller);
    assert.is(
      caller.chunkSizes.reduce((a, b) => a + b),
      size,
    );
    assert.ok(caller.chunkSizes.every((bytes) => bytes <= 256 * 1024));
    assert.is(caller.told.at(-1), 'exit 0');
  });

  test('runs locally what rules keep, and counts why', async () => {
    const rig = new DispatcherRig();
    rig.setRules({ Regexp: '^find', Local: true, Debug: true, Reason: 'it is short' });
    assert.equal((await rig.dispatch(runRequest('make x'))).told, ['local with recursion']);
    assert.equal((await rig.dispatch(runRequest('find .'))).told, ['local']);
    const report = rig.session.report();
    assert.equal(report.localByReason, { recursive: 1, rule: 1 });
    assert.equal(report.localByRule, { 'it is short': 1 });
    rig.setRules({ Regexp: '', Stdin: 'empty', Reason: 'it asks' });
    assert.equal((await rig.dispatch(runRequest('make y'))).told, ['local with recursion without stdin']);
    assert.equal(
      rig.session.report().localByRule,
      { 'it is short': 1 },
      'a rule that only says how keeps nothing',
    );
    assert.is(report.fallbacks, 0);
    assert.equal(rig.notices(), ['"Debug" has no effect any more: rules']);
    assert.equal(rig.session.records[1]!.rule, { line: 1, reason: 'it is short' });
  });

  test('treats the job, and a command that runs locally after all, as its rule says', async () => {
    const rig = new DispatcherRig();
    const env = { Unset: ['CI_*'], Set: { LC_ALL: 'C' } };
    rig.setRules({
      ...{ Regexp: '^slow', Network: true, Timeout: 2, Stdin: 'empty', Slots: 3, Env: env },
    });
    rig.addExecutor('a', failing({ reason: 'timed-out', timeoutMs: 2000 }), { slotCount: 4 });
    const request = runRequest('slow', { env: ['CI_ID=7', 'A=1', 'LC_ALL=de'], isStdinEmpty: false });
    const { told } = await rig.dispatch(request);
    const { job } = rig.jobs[0]!;
    assert.equal(job.env, ['A=1', 'LC_ALL=C']);
    assert.equal([job.network, job.timeoutMs, job.forwardStdin, job.slots], [true, 2000, false, 3]);
    assert.equal(told, ['local without stdin with CI_ID LC_ALL=C']);
    assert.equal(rig.session.report().localByReason, { 'timed-out': 1 });
    assert.equal(rig.notices(), ['running locally: it ran longer than 2000 ms: slow']);
    await rig.dispatch(request);
    assert.is(rig.jobs.length, 2, 'an executor is not to blame for a command that takes long');
  });

  test('takes as many slots as the rule says', async () => {
    const rig = new DispatcherRig();
    rig.setRules({ Regexp: '^ld', Slots: 3 });
    rig.addExecutor(
      'a',
      async () => {
        assert.is(rig.pool.members()[0]!.running, 3);
        return succeed(await rig.manifest());
      },
      { slotCount: 4 },
    );
    assert.equal((await rig.dispatch(runRequest('ld'))).told, ['committing', 'exit 0']);
  });

  test('ends the build when its rules have become wrong', async () => {
    const rig = new DispatcherRig();
    rig.rules = () => {
      throw new AppError('Cannot use "x", line 3', { code: 'bad-configuration', category: 'caller' });
    };
    const caller = await rig.dispatch(runRequest('gcc'));
    assert.equal(caller.told, ['stderr:termite: Cannot use "x", line 3\n', 'exit 125']);
    assert.equal(rig.replies, [{ op: 'failed', message: 'Cannot use "x", line 3' }]);
  });

  test('tries again on another executor when one is lost', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', failing(lost('a')));
    rig.addExecutor('b', succeeding(rig.manifest()), { slotCount: 2 });
    // Both are idle: the first is taken first.
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'exit 0']);
    assert.equal(
      rig.jobs.map(({ executor }) => executor),
      ['a', 'b'],
    );
    assert.is(rig.workspace.snapshots, 2);
  });

  test('runs locally, and says so once per kind, when no attempt succeeds', async () => {
    const rig = new DispatcherRig();
    for (const name of ['a', 'b', 'c', 'd']) rig.addExecutor(name, failing(sandbox), { slotCount: 4 });
    for (const line of ['one', 'two']) assert.equal((await rig.dispatch(runRequest(line))).told, ['local']);
    assert.is(rig.jobs.length, 8);
    assert.equal(new Set(rig.jobs.slice(0, 4).map(({ executor }) => executor)).size, 4);
    assert.equal(rig.notices(), ['running locally: the sandbox failed: no mount: one']);
    const report = rig.session.report();
    assert.equal([report.fallbacks, report.local, report.remote], [2, 2, 0]);
    assert.equal(report.localByReason, { sandbox: 2 });
  });

  test('runs locally at once when there is no executor', async () => {
    const rig = new DispatcherRig();
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['local']);
    assert.equal(rig.session.report().localByReason, { 'no-executor': 1 });
  });

  const limits: Limit[] = [
    { kind: 'left-outside', path: '/home/me/x' },
    { kind: 'network' },
    { kind: 'lock' },
  ];
  for (const limit of limits) {
    test(`runs locally, without calling it a fallback, what succeeded but reached the limit ${limit.kind}`, async () => {
      const rig = new DispatcherRig();
      rig.addExecutor('a', succeeding(rig.manifest({ reached: [limit] })));
      assert.equal((await rig.dispatch(runRequest('./deploy'))).told, ['local']);
      const report = rig.session.report();
      assert.equal([report.localByReason, report.fallbacks], [{ [limit.kind]: 1 }, 0]);
      assert.is(rig.jobs.length, 1);
      assert.equal(rig.session.records[0]!.limit, limit);
    });
  }

  test('runs locally what failed, unless it is a compiler or a rule believes it', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest({ status: { kind: 'exit', code: 1 } })));
    assert.equal((await rig.dispatch(runRequest('./test'))).told, ['local']);
    assert.equal(rig.session.report().localByReason, { failed: 1 });
    assert.equal((await rig.dispatch(runRequest('gcc -c a.c'))).told, ['committing', 'exit 1']);
    assert.equal((await rig.dispatch(runRequest('./gcc -c a.c'))).told, ['local']);
  });

  test('runs locally what looked at something in /tmp that exists here, and only that', async () => {
    await using dir = await tempDir();
    const rig = new DispatcherRig();
    const looking = (path: string, flags: number) =>
      succeeding(rig.manifest({ hiddenTrace: [{ path, flags }] }));
    rig.addExecutor('a', looking(dir.path, ObservationFlag.absent));
    assert.equal((await rig.dispatch(runRequest('cat x'))).told, ['local']);
    assert.equal(rig.session.records[0]!.limit, { kind: 'hidden', path: dir.path });
    const other = new DispatcherRig();
    other.addExecutor('a', looking(`${dir.path}/none`, ObservationFlag.absent));
    assert.equal((await other.dispatch(runRequest('cat x'))).told, ['committing', 'exit 0']);
  });

  test('takes a new snapshot after a conflict, and runs locally after the second', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest()));
    let conflicts = 1;
    rig.workspace.beforeCommit = async () =>
      conflicts-- > 0 ? fail({ reason: 'conflict', path: 'x' }) : succeed(undefined);
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'exit 0']);
    assert.is(rig.workspace.snapshots, 2);
    assert.equal([rig.session.report().conflicts, rig.session.report().fallbacks], [1, 0]);
    conflicts = 2;
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['local']);
    assert.equal([rig.session.report().conflicts, rig.session.report().fallbacks], [3, 1]);
    conflicts = 2;
    assert.equal(
      (await rig.dispatch(runRequest('./count.sh'))).told,
      ['local'],
      'it may have locks of its own',
    );
    assert.equal([rig.session.report().fallbacks, rig.session.report().localByReason['lock']], [1, 1]);
  });

  test('tries again when content or output is not to be had', async () => {
    const rig = new DispatcherRig();
    const manifest = await rig.manifest({ stdout: 'seen' });
    rig.addExecutor('a', succeeding(manifest), {
      content: { read: async () => undefined, getMany: async (digests) => digests.map(() => undefined) },
    });
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['local']);
    assert.is(rig.jobs.length, 4);
    rig.addExecutor('b', succeeding(manifest), { slotCount: 9 });
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'stdout:seen', 'exit 0']);
  });

  test('takes an executor whose outputs cannot be fetched for lost', async () => {
    const rig = new DispatcherRig();
    const getMany = async () => {
      throw new AppError('Connection lost', { code: 'connection-lost' });
    };
    rig.addExecutor('a', succeeding(rig.manifest({ stdout: 'x' })), {
      content: { read: async () => undefined, getMany },
    });
    rig.addExecutor('b', succeeding(rig.manifest()));
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'exit 0']);
    assert.equal(
      rig.jobs.map(({ executor }) => executor),
      ['a', 'b'],
    );
  });

  test('runs locally after an error that nobody expected', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest()));
    rig.workspace.onSnapshot = async () => {
      throw new Error('Internal error: boo');
    };
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['local']);
    assert.match(rig.notices()[0]!, /boo/);
  });

  test('lets the command fail when applying breaks down half-way', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest()));
    rig.workspace.whileCommitting = async () => {
      throw new Error('No space left on device');
    };
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'abandoned']);
    assert.equal([rig.session.report().failed, rig.session.report().fallbacks], [1, 0]);
  });

  test('gives its slot back before the result is applied', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', succeeding(rig.manifest()));
    rig.workspace.whileCommitting = async () => assert.is(rig.pool.members()[0]!.running, 0);
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'exit 0']);
  });
});

suite('Dispatcher, when cancelled', (test) => {
  const states: [state: string, arrange: (rig: DispatcherRig, cancel: () => void) => void][] = [
    ['before it was received', (_rig, cancel) => cancel()],
    [
      'while waiting for a slot',
      (rig, cancel) => {
        rig.addExecutor('busy', hanging);
        void rig.dispatch(runRequest('other'));
        setImmediate(cancel);
      },
    ],
    [
      'while the snapshot is taken',
      (rig, cancel) => {
        rig.addExecutor('a', succeeding(rig.manifest()));
        rig.workspace.onSnapshot = async () => cancel();
      },
    ],
    [
      'while executing',
      (rig, cancel) => {
        rig.addExecutor('a', (job, signal) => {
          setImmediate(cancel);
          return hanging(job, signal);
        });
      },
    ],
    [
      'before anything is applied',
      (rig, cancel) => {
        rig.addExecutor('a', succeeding(rig.manifest()));
        rig.workspace.beforeCommit = async (signal) => {
          cancel();
          assert.ok(signal.aborted);
          return fail({ reason: 'cancelled' });
        };
      },
    ],
  ];
  for (const [state, arrange] of states) {
    test(`${state}, changes nothing and says so`, async () => {
      const rig = new DispatcherRig();
      const caller = new FakeCaller();
      arrange(rig, () => caller.gone.abort());
      assert.equal((await rig.dispatch(runRequest('gcc'), caller)).told, ['cancelled']);
      assert.is(rig.workspace.committed.length, 0);
      assert.is(rig.session.report().commands, 0);
      await rig.session.close();
    });
  }

  test('while applying, finishes and tells the true end', async () => {
    const rig = new DispatcherRig();
    const caller = new FakeCaller();
    rig.addExecutor('a', succeeding(rig.manifest({ stdout: 'x' })));
    rig.workspace.whileCommitting = async () => caller.gone.abort();
    assert.equal((await rig.dispatch(runRequest('gcc'), caller)).told, ['committing', 'stdout:x', 'exit 0']);
    assert.is(rig.workspace.committed.length, 1);
  });

  test('gives the slot to the next', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', (job, signal) =>
      job.argv[2] === 'first' ? hanging(job, signal) : succeeding(rig.manifest())(job, signal),
    );
    const first = new FakeCaller();
    const both = [rig.dispatch(runRequest('first'), first), rig.dispatch(runRequest('second'))];
    setImmediate(() => first.gone.abort());
    assert.equal(
      (await Promise.all(both)).map(({ told }) => told.at(-1)),
      ['cancelled', 'exit 0'],
    );
  });

  test('by a session whose owner died, lets the shell run it', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', hanging);
    const running = rig.dispatch(runRequest('gcc'));
    await rig.session.close();
    assert.equal((await running).told, ['cancelled']);
  });

  test('by a build that is over, kills it', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', hanging);
    const running = rig.dispatch(runRequest('gcc'));
    await rig.session.finish({ isBrokenOff: false });
    assert.equal((await running).told, ['signal 15']);
  });
});

suite('Dispatcher, for stdin', (test) => {
  /** Reads all of it, then ends as told. */
  const reading =
    (rig: DispatcherRig, seen: string[], end: () => Promise<Awaited<ReturnType<typeof hanging>>>) =>
    async (job: { id: string }, signal: AbortSignal) => {
      let text = '';
      for (;;) {
        const chunk = await rig.stdinRoutes.read(job.id, 4, signal);
        if (chunk.length === 0) break;
        text += Buffer.from(chunk).toString();
      }
      seen.push(text);
      return end();
    };

  test('passes what the caller has, when it is asked for', async () => {
    const rig = new DispatcherRig();
    const seen: string[] = [];
    rig.addExecutor(
      'a',
      reading(rig, seen, async () => succeed(await rig.manifest())),
    );
    const caller = new FakeCaller();
    caller.stdin = ['first ', 'second'];
    await rig.dispatch(runRequest('cat', { isStdinEmpty: false }), caller);
    assert.equal(seen, ['first second']);
    assert.is(rig.jobs[0]!.job.forwardStdin, true);
  });

  test('leaves a terminal to the command itself, which runs locally as soon as it reads', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', async (job, signal) => {
      await rig.stdinRoutes.read(job.id, 4, signal).catch(() => {});
      return hanging(job, signal);
    });
    const caller = new FakeCaller();
    caller.stdin = ['typed'];
    const request = runRequest('./ask', { isStdinEmpty: false, isStdinTerminal: true, processId: 7 });
    await rig.dispatch(request, caller);
    assert.equal(caller.told, ['local']);
    assert.equal(caller.stdin, ['typed']);
    const { localByReason, fallbacks } = rig.session.report();
    assert.equal([localByReason, fallbacks], [{ terminal: 1 }, 0]);
    assert.match(rig.notices()[0]!, /it reads from the terminal: .\/ask/);
  });

  test('gives each attempt all of it', async () => {
    const rig = new DispatcherRig();
    const seen: string[] = [];
    let attempt = 0;
    const end = async () => (attempt++ === 0 ? fail(sandbox) : succeed(await rig.manifest()));
    rig.addExecutor('a', reading(rig, seen, end));
    const caller = new FakeCaller();
    caller.stdin = ['first ', 'second'];
    await rig.dispatch(runRequest('cat', { isStdinEmpty: false }), caller);
    assert.equal(seen, ['first second', 'first second']);
    assert.is(caller.told.at(-1), 'exit 0');
  });

  test('runs locally what has consumed it, as far as the caller can give it back', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', async (job, signal) => {
      await rig.stdinRoutes.read(job.id, 2 ** 25, signal);
      return fail({ reason: 'limit', limit: { kind: 'refused-write', path: '/x' } });
    });
    const little = new FakeCaller();
    little.stdin = ['x'];
    await rig.dispatch(runRequest('cat', { isStdinEmpty: false }), little);
    assert.is(little.told.at(-1), 'local');
    const much = new FakeCaller();
    const chunks = [Buffer.alloc(17 * 2 ** 20)];
    much.readStdin = async () => chunks.pop() ?? Buffer.alloc(0);
    await rig.dispatch(runRequest('cat', { isStdinEmpty: false }), much);
    assert.is(much.told.at(-1), 'exit 125');
    assert.match(much.told[0]!, /used up/);
  });

  test('runs locally what has not touched it', async () => {
    const rig = new DispatcherRig();
    rig.addExecutor('a', failing({ reason: 'limit', limit: { kind: 'refused-write', path: '/x' } }));
    assert.equal((await rig.dispatch(runRequest('cat', { isStdinEmpty: false }))).told, ['local']);
  });

  test('refuses jobs that have none', async () => {
    const rig = new DispatcherRig();
    let refused = '';
    rig.addExecutor('a', async (job, signal) => {
      await rig.stdinRoutes.read(job.id, 4, signal).catch((error) => {
        refused = error.code;
      });
      return succeed(await rig.manifest());
    });
    await rig.dispatch(runRequest('cat'));
    assert.is(refused, 'job-unknown');
  });
});
