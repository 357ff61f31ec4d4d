import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { SystemChanges } from '../../master/system-changes.ts';
import { SystemGenerations } from '../../master/system-generations.ts';
import type { Observation } from '../../protocol/job.ts';
import { Scope } from '../../runtime/scope.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const [found, listed] = [1, 16];

/** A machine that is nothing but states, and what is known of it; `again()` is another master's view. */
async function generationsRig() {
  const scope = new Scope();
  const dir = scope.use(await tempDir());
  const onNotice = (message: string) => {
    throw new Error(message);
  };
  const cache = scope.use(await ActionCache.open(dir.join('results'), { onNotice }));
  const changes = new SystemChanges();
  const states = new Map<string, string>();
  const asked: string[] = [];
  const describe = async ({ path }: Observation) => {
    asked.push(path);
    return states.get(path) ?? 'absent';
  };
  const open = (its = new SystemChanges()) => new SystemGenerations({ cache, describe, changes: its });
  const generations = open(changes);
  return {
    ...{ changes, generations, asked, again: () => open() },
    set(path: string, state: string, relisted: string[] = []) {
      states.set(path, state);
      changes.add({ entries: [path], relisted });
    },
    /** What a job has looked at, on a mirror of its own unless told. */
    extend: (
      paths: Record<string, number>,
      { revision = changes.revision, mirror = 'm', from = 0, epoch = changes.epoch } = {},
    ) =>
      generations.extend(epoch, 'e', {
        ...{ mirror, revision, from },
        observed: Object.entries(paths).map(([path, flags]) => ({ path, flags })),
      }),
    ids: async () => (await generations.valid()).ids,
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

suite('SystemGenerations', (test) => {
  test('holds when something changes that nobody looked at, without looking at anything', async () => {
    await using rig = await generationsRig();
    const id = await rig.extend({ '/usr/bin/gcc': found, '/usr/include': found });
    rig.asked.length = 0;
    rig.set('/usr/bin/unrelated', 'f 493 1', ['/usr/bin']);
    assert.equal(await rig.ids(), [id]);
    assert.equal(rig.asked, []);
  });

  test('holds no more when something changes that somebody looked at, and again when it is as it was', async () => {
    await using rig = await generationsRig();
    const id = await rig.extend({ '/usr/bin/gcc': found, '/usr/include': found });
    rig.set('/usr/bin/gcc', 'f 493 1', ['/usr/bin']);
    rig.asked.length = 0;
    const [other, ...more] = await rig.ids();
    assert.is.not(other, id);
    assert.equal(more, []);
    assert.equal(rig.asked, ['/usr/bin/gcc'], 'only what has changed');
    rig.set('/usr/bin/gcc', 'absent', ['/usr/bin']);
    assert.equal([...(await rig.ids())].sort(), [id, other].sort());
  });

  test('of a directory that was listed the names count', async () => {
    await using rig = await generationsRig();
    const id = await rig.extend({ '/usr/bin': found | listed });
    rig.set('/usr/bin', 'd 493 other', []);
    rig.set('/usr/bin/new', 'f 493 1', ['/usr/bin']);
    assert.not((await rig.ids()).includes(id!));
  });

  test('keeps what a job looked at while something else changed', async () => {
    await using rig = await generationsRig();
    const before = rig.changes.revision;
    rig.set('/home/me/.history', 'f 384 1', ['/home/me']);
    const id = await rig.extend({ '/usr/bin/gcc': found, '/home/me': found }, { revision: before });
    assert.ok(id);
    assert.equal(await rig.ids(), [id]);
  });

  for (const [what, path, flags] of [
    ['which it looked at', '/home/me/.history', found],
    ['in a directory that it listed', '/home/me', found | listed],
  ] as const) {
    test(`does not keep it when something changed ${what}`, async () => {
      await using rig = await generationsRig();
      const before = rig.changes.revision;
      rig.set('/home/me/.history', 'f 384 1', ['/home/me']);
      assert.is(await rig.extend({ [path]: flags }, { revision: before }), undefined);
      assert.ok(await rig.extend({ [path]: flags }), 'seen since');
    });
  }

  test('does not keep it when that changes while its state is being taken', async () => {
    await using rig = await generationsRig();
    await rig.ids();
    const extending = rig.extend({ '/usr/bin/gcc': found });
    rig.set('/usr/bin/gcc', 'f 493 1');
    assert.is(await extending, undefined);
  });

  test('does not keep what was looked at in an earlier epoch', async () => {
    await using rig = await generationsRig();
    rig.changes.endEpoch();
    assert.is(await rig.extend({ '/usr/bin/gcc': found }, { epoch: 1 }), undefined);
    assert.is(await rig.extend({ '/usr/bin/gcc': found }, { revision: 0 }), undefined);
  });

  test('is followed by another one when it is large, and holds on', async () => {
    await using rig = await generationsRig();
    const many = (from: number) =>
      Object.fromEntries(Array.from({ length: 12_000 }, (_, index) => [`/usr/${from + index}`, found]));
    const first = await rig.extend(many(0), { mirror: 'a' });
    assert.ok(first);
    assert.is(await rig.extend(many(12_000), { mirror: 'b' }), undefined);
    const second = await rig.extend(many(12_000), { mirror: 'b' });
    assert.equal(await rig.ids(), [second, first]);
    assert.is(
      await rig.extend({ ...many(0), ...many(12_000) }, { mirror: 'c' }),
      undefined,
      'too much for any',
    );
    assert.equal(await rig.ids(), [second, first]);
    for (let round = 2; round < 5; round++) {
      await rig.extend(many(round * 12_000), { mirror: `${round}` });
      await rig.extend(many(round * 12_000), { mirror: `${round}` });
    }
    assert.is((await rig.ids()).length, 2, 'no more than 40,000 entries');
  });

  test('is what the next master finds', async () => {
    await using rig = await generationsRig();
    const id = await rig.extend({ '/usr/bin/gcc': found });
    assert.equal((await rig.again().valid()).ids, [id]);
    rig.set('/usr/bin/gcc', 'f 493 1');
    assert.not((await rig.again().valid()).ids.includes(id!));
  });
});
