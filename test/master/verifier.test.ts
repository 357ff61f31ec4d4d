import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { FormerTree } from '../../master/path-state.ts';
import type { Hit } from '../../master/result-cache.ts';
import { Session } from '../../master/session.ts';
import { Verifier } from '../../master/verifier.ts';
import type { Check, ControlReply } from '../../protocol/control.ts';
import type { Manifest } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { DispatcherRig, FakeCaller, failing, hanging, succeeding } from './dispatcher-rig.ts';
import { someDigest } from './fake-workspace.ts';
import { runRequest } from './run-request.ts';

const printing = (text: string): Manifest => ({
  status: { kind: 'exit', code: 0 },
  ...{ stdout: digestOf(Buffer.from(text)), stderr: digestOf(Buffer.alloc(0)) },
  ...{ changes: [], reached: [], hiddenTrace: [], trace: [], startedNs: 1n, finishedNs: 2n },
  resources: { userUs: 0, systemUs: 0, maxRssKib: 0 },
});

/** A verifier, and one command of a build to be verified. */
function verifierRig({ random = 0, isBasisKnown = true, keeps = true } = {}) {
  const quarantined: string[] = [];
  const replies: ControlReply[] = [];
  const session = new Session('s', { clock: { nowMs: () => 0 }, send: (reply) => replies.push(reply) });
  const running = session.begin('date');
  const verifier = new Verifier({
    results: { quarantine: async (key) => void quarantined.push(key) },
    inputs: {
      former: () => new FormerTree(someDigest, () => (isBasisKnown ? new Uint8Array() : undefined)),
    },
    archive: {
      keep: async ({ name }) => {
        if (!keeps) throw new Error('No space left on device');
        return { dir: `/kept/${name}`, sentences: ['stdout differs at byte 0', 'more'] };
      },
    },
    random: () => random,
  });
  return {
    ...{ verifier, quarantined, running },
    verifyHit: (cached: string, fresh: string, holds = true) => {
      const hit: Hit = {
        ...{ kind: 'hit', key: 'ab'.repeat(32), manifest: printing(cached), tookMs: 1 },
        holdsOn: () => holds,
      };
      return verifier.verify({
        ...{ rival: { kind: 'hit', hit }, line: 'date', session, running, manifest: printing(fresh) },
        basis: { root: someDigest, epoch: 1, revision: 0 },
        content: { read: async () => undefined, getMany: async () => [] },
      });
    },
    counts: () => [session.report().verified, session.report().mismatched],
    notices: () => replies.flatMap((reply) => (reply.op === 'notice' ? [reply.message] : [])),
  };
}

suite('Verifier', (test) => {
  const sessionWith = (check: Check | undefined) =>
    new Session('s', { clock: { nowMs: () => 0 }, send: () => {}, check });

  test('wants() so many percent of the hits of a build that asked for it', () => {
    const isWanted = (random: number, check: Check | undefined) =>
      verifierRig({ random }).verifier.wants(sessionWith(check));
    assert.is(isWanted(0, undefined), false);
    assert.is(isWanted(0, { kind: 'twice' }), false);
    assert.is(isWanted(0, { kind: 'hits', percent: 0 }), false);
    assert.is(isWanted(0.999, { kind: 'hits', percent: 100 }), true);
    assert.is(isWanted(0.24, { kind: 'hits', percent: 25 }), true);
    assert.is(isWanted(0.25, { kind: 'hits', percent: 25 }), false);
  });

  test('counts a hit that was reproduced, and says nothing', async () => {
    const rig = verifierRig();
    await rig.verifyHit('x', 'x');
    assert.equal([rig.counts(), rig.notices(), rig.quarantined], [[1, 0], [], []]);
  });

  test('takes one that was not out of the cache, and says what differed and where to look', async () => {
    const rig = verifierRig();
    await rig.verifyHit('x', 'y');
    assert.equal([rig.counts(), rig.quarantined], [[1, 1], ['ab'.repeat(32)]]);
    assert.equal(rig.notices(), [
      'the cached result of "date" was not reproduced and will not be used again: stdout differs at byte 0, and 1 more\n' +
        `  both versions are in /kept/${'ab'.repeat(8)}`,
    ]);
  });

  test('says it also when the versions cannot be kept', async () => {
    const rig = verifierRig({ keeps: false });
    await rig.verifyHit('x', 'y');
    assert.equal([rig.counts(), rig.quarantined.length], [[1, 1], 1]);
    assert.match(
      rig.notices()[0]!,
      /stdout has other content\n {2}both versions could not be kept: No space/,
    );
  });

  test('does not judge when an input was changed in between, or when that is not known', async () => {
    const changed = verifierRig();
    await changed.verifyHit('x', 'y', false);
    const unknown = verifierRig({ isBasisKnown: false });
    await unknown.verifyHit('x', 'y');
    for (const rig of [changed, unknown]) assert.equal([rig.counts(), rig.quarantined], [[0, 0], []]);
  });
});

suite('Dispatcher, told to run each command twice', (test) => {
  const twiceRig = () => new DispatcherRig({ kind: 'twice' });

  test('runs it on one state of the project, applies the first run, and tells that both were equal', async () => {
    const rig = twiceRig();
    rig.addExecutor('a', succeeding(rig.manifest({ stdout: 'x' })));
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'stdout:x', 'exit 0']);
    assert.equal([rig.workspace.snapshots, rig.jobs.length, rig.workspace.committed.length], [1, 2, 1]);
    assert.equal(rig.notices(), ['deterministic: 0 outputs, what it printed and its end are equal']);
    const { commands, verified, mismatched } = rig.session.report();
    assert.equal([commands, verified, mismatched], [1, 1, 0]);
  });

  test('tells what differed', async () => {
    const rig = twiceRig();
    let run = 0;
    rig.addExecutor('a', async (job, signal) =>
      succeeding(rig.manifest({ stdout: `run ${++run}` }))(job, signal),
    );
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['committing', 'stdout:run 1', 'exit 0']);
    assert.equal(rig.notices(), ['not deterministic:\n  it differs\n  both versions are in twice']);
    assert.is(rig.session.report().mismatched, 1);
  });

  test('compares nothing when a run was no run of it', async () => {
    const rig = twiceRig();
    const ends = [
      succeeding(rig.manifest()),
      failing({ reason: 'sandbox', message: 'no mount' }),
      failing({ reason: 'limit', limit: { kind: 'refused-write', path: '/etc' } }),
    ];
    rig.addExecutor('a', (job, signal) => ends.shift()!(job, signal), { slotCount: 4 });
    assert.equal((await rig.dispatch(runRequest('gcc'))).told, ['local']);
    assert.equal([rig.session.report().verified, rig.workspace.committed.length], [0, 0]);
  });

  test('gives both runs all of stdin', async () => {
    const rig = twiceRig();
    const seen: string[] = [];
    rig.addExecutor('a', async (job, signal) => {
      seen.push(Buffer.from(await rig.stdinRoutes.read(job.id, 9, signal)).toString());
      return succeeding(rig.manifest())(job, signal);
    });
    const caller = new FakeCaller();
    caller.stdin = ['input'];
    await rig.dispatch(runRequest('cat', { isStdinEmpty: false }), caller);
    assert.equal(seen, ['input', 'input']);
  });

  test('can be cancelled in the second run', async () => {
    const rig = twiceRig();
    const caller = new FakeCaller();
    rig.addExecutor('a', (job, signal) => {
      if (rig.jobs.length === 1) return succeeding(rig.manifest())(job, signal);
      setImmediate(() => caller.gone.abort());
      return hanging(job, signal);
    });
    assert.equal((await rig.dispatch(runRequest('gcc'), caller)).told, ['cancelled']);
    assert.is(rig.workspace.committed.length, 0);
  });
});
