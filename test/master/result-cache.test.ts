import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { digestOf } from '../../cas/digest.ts';
import type { Question } from '../../master/fingerprint.ts';
import { type Finished, type NotStored, ResultCache } from '../../master/result-cache.ts';
import { SystemChanges } from '../../master/system-changes.ts';
import { SystemGenerations } from '../../master/system-generations.ts';
import type { Basis } from '../../master/workspace.ts';
import { type Manifest, ObservationFlag } from '../../protocol/job.ts';
import { Scope } from '../../runtime/scope.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { manifestOf, workspaceRig } from '../rigs/workspace.ts';

const { found, read } = ObservationFlag;
const output = Buffer.from('made');

/** The cache of a real project that holds `in`, and what one command gave that made `out` of it. */
async function cacheRig() {
  const scope = new Scope();
  const dir = scope.use(await tempDir());
  const rig = scope.use(await workspaceRig(dir.path));
  const { workspace, store, project } = rig;
  const onNotice = (message: string) => {
    throw new Error(message);
  };
  const cache = scope.use(await ActionCache.open(dir.join('results'), { onNotice }));
  const machine = new SystemChanges();
  const generations = new SystemGenerations({
    ...{ cache, describe: async () => 'as ever', changes: machine },
  });
  const seen = { refresh: () => workspace.refresh(), inputs: workspace.inputs };
  const results = scope.use(
    new ResultCache({
      ...{ cache, generations, workspace: seen, store, onNotice, clock: { nowMs: () => 1 } },
    }),
  );
  const question: Question = {
    ...{ projectRoot: project, argv: ['/bin/sh', '-c', 'make out of in'], env: [], cwd: project },
    ...{ umask: 0o22, uid: 0, gid: 0, home: '', mergeOutput: false, network: false, timeoutMs: 0 },
  };
  const write = (content: string) => writeFileSync(join(project, 'in'), content);
  write('source');
  utimesSync(join(project, 'in'), 1e9, 1e9);
  await store.put(digestOf(output), output);
  const finished = async ({
    manifest = {},
    ...rest
  }: Partial<Omit<Finished, 'manifest'>> & { manifest?: Partial<Manifest> } = {}): Promise<Finished> => ({
    ...{ question, basis: await workspace.snapshot(), executor: 'e', printed: new Map(), stdin: 'unread' },
    acceptsFailure: false,
    ...rest,
    manifest: {
      ...manifestOf(project, [{ path: 'out', node: rig.file(output) }]),
      trace: [{ path: 'in', flags: found | read }],
      systemTrace: { mirror: 'm', revision: 0, from: 0, observed: [] },
      ...manifest,
    },
  });
  return {
    ...{ results, question, workspace, machine, write, finished, file: rig.file },
    lookUp: (acceptsFailure = false) => results.lookUp(question, { isStdinEmpty: true, acceptsFailure }),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

type CacheRig = Awaited<ReturnType<typeof cacheRig>>;

suite('ResultCache', (test) => {
  test('keeps a result, and answers with it while the inputs are as they were', async () => {
    await using rig = await cacheRig();
    const stored = await rig.results.store(await rig.finished());
    assert.ok('key' in stored);
    const answer = await rig.lookUp();
    assert.equal([answer.kind, answer.kind === 'hit' && answer.key], ['hit', stored.key]);
    rig.write('other');
    const miss = await rig.lookUp();
    assert.equal([miss.kind, miss.kind === 'miss' && miss.reason], ['miss', 'inputs-changed']);
  });

  test('keeps a failure that is wanted, and answers with it whoever wants one', async () => {
    await using rig = await cacheRig();
    const failed = { manifest: { status: { kind: 'exit', code: 1 } as const }, acceptsFailure: true };
    assert.ok('key' in (await rig.results.store(await rig.finished(failed))));
    const miss = await rig.lookUp();
    assert.equal([miss.kind, miss.kind === 'miss' && miss.reason], ['miss', 'failed-before']);
    assert.is((await rig.lookUp(true)).kind, 'hit');
  });

  const never: [reason: NotStored, what: string, arrange: (rig: CacheRig) => Promise<Finished>][] = [
    ['failed', 'fails', ({ finished }) => finished({ manifest: { status: { kind: 'exit', code: 1 } } })],
    [
      'failed',
      'dies of a signal',
      ({ finished }) =>
        finished({ manifest: { status: { kind: 'signal', signal: 9 } }, acceptsFailure: true }),
    ],
    ['stdin-read', 'has read standard input', ({ finished }) => finished({ stdin: undefined })],
    [
      'network',
      'may use the network',
      ({ finished, question }) => finished({ question: { ...question, network: true } }),
    ],
    [
      'out-of-memory',
      'ran while memory was short',
      ({ finished }) => finished({ manifest: { wasShortOfMemory: true } }),
    ],
    [
      'out-of-memory',
      'failed as wanted, but while memory was short',
      ({ finished }) => {
        const status = { kind: 'exit', code: 1 } as const;
        return finished({ manifest: { status, wasShortOfMemory: true }, acceptsFailure: true });
      },
    ],
    ['no-trace', 'was not watched', ({ finished }) => finished({ manifest: { systemTrace: undefined } })],
    [
      'system-changed',
      'ran while something outside the project changed',
      async ({ finished, machine }) => {
        const result = await finished();
        machine.endEpoch();
        return result;
      },
    ],
    [
      'system-changed',
      'was watched with a gap',
      ({ finished }) =>
        finished({ manifest: { systemTrace: { mirror: 'm', revision: 0, from: 5, observed: [] } } }),
    ],
    [
      'basis-gone',
      'was based on a state that is forgotten',
      ({ finished }) => {
        const basis: Basis = { root: { hash: 'ab'.repeat(32), sizeBytes: 7 }, epoch: 1, revision: 0 };
        return finished({ basis });
      },
    ],
    [
      'times-copied',
      'gave an output the time of an input',
      ({ finished, file }) => {
        const node = file(output, { mtimeNs: 10n ** 18n });
        return finished({ manifest: { changes: [{ path: 'out', base: null, node }] } });
      },
    ],
    [
      'content-missing',
      'left something that is not in the store',
      ({ finished, file }) =>
        finished({ manifest: { changes: [{ path: 'out', base: null, node: file('elsewhere') }] } }),
    ],
    [
      'quarantined',
      'did something else than a past result of it',
      async ({ finished, results }) => {
        const stored = await results.store(await finished());
        assert.ok('key' in stored);
        await results.quarantine(stored.key);
        return finished();
      },
    ],
  ];
  for (const [reason, what, arrange] of never) {
    test(`does not keep the result of a command that ${what}`, async () => {
      await using rig = await cacheRig();
      const result = await arrange(rig);
      assert.equal(await rig.results.store(result), { notStored: reason });
      assert.is((await rig.lookUp()).kind, 'miss');
      const { resultCount, notStored } = await rig.results.statistics();
      assert.equal([resultCount, notStored], [0, { [reason]: 1 }]);
    });
  }

  test('holds a result against the state that the job had, not that at its end', async () => {
    await using rig = await cacheRig();
    const result = await rig.finished();
    rig.write('changed while it ran');
    await rig.workspace.snapshot();
    await rig.results.store(result);
    assert.is((await rig.lookUp()).kind, 'miss');
    rig.write('source');
    assert.is((await rig.lookUp()).kind, 'hit');
  });

  test('tells of a hit on which states of the project it holds', async () => {
    await using rig = await cacheRig();
    await rig.results.store(await rig.finished());
    const hit = await rig.lookUp();
    if (hit.kind !== 'hit') throw new Error('no hit');
    const then = await rig.workspace.snapshot();
    rig.write('other');
    const now = await rig.workspace.snapshot();
    assert.equal([hit.holdsOn(then), hit.holdsOn(now)], [true, false]);
    assert.is(hit.holdsOn({ ...then, revision: 2 }), false);
    assert.is(hit.holdsOn({ ...then, root: { hash: 'ab'.repeat(32), sizeBytes: 7 } }), false, 'forgotten');
  });

  test('says of a quarantined result that it is, and counts it until all is forgotten', async () => {
    await using rig = await cacheRig();
    const stored = await rig.results.store(await rig.finished());
    if (!('key' in stored)) throw new Error('not stored');
    await rig.results.quarantine(stored.key);
    const answer = await rig.lookUp();
    assert.equal(answer, { kind: 'miss', reason: 'quarantined', differences: [] });
    assert.is((await rig.results.statistics()).quarantinedCount, 1);
    await rig.results.clear();
    assert.is((await rig.results.statistics()).quarantinedCount, 0);
    assert.ok('key' in (await rig.results.store(await rig.finished())));
  });
});
