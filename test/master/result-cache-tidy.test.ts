import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { ResultCache } from '../../master/result-cache.ts';
import { SystemChanges } from '../../master/system-changes.ts';
import { SystemGenerations } from '../../master/system-generations.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { FakeWorkspace } from './fake-workspace.ts';

const dayMs = 24 * 60 * 60 * 1000;

suite('ResultCache.tidy()', (test) => {
  test('tidy() drops once a day what is of no use any more', async () => {
    await using dir = await tempDir();
    await using cache = await ActionCache.open(dir.join('results'), { onNotice: assert.unreachable });
    let nowMs = 1_000_000;
    await using results = new ResultCache({
      cache,
      generations: new SystemGenerations({
        cache,
        describe: async () => 'unknown',
        changes: new SystemChanges(),
      }),
      workspace: new FakeWorkspace(),
      store: await FileBlobStore.open(dir.join('cas')),
      clock: { nowMs: () => nowMs },
      onNotice: assert.unreachable,
    });
    await cache.write([{ key: 'r useless', value: {} }]);
    const isThere = async () => (await cache.get('r useless')) !== undefined;
    for (const [passedMs, expected] of [
      [0, true],
      [dayMs - 1, true],
      [1, false],
    ] as const) {
      nowMs += passedMs;
      await results.tidy(1_000_000);
      assert.is(await isThere(), expected);
    }
    await cache.write([{ key: 'r useless', value: {} }]);
    await results.tidy(1_000_000);
    assert.ok(await isThere(), 'a day begins anew');
    assert.is(await results.evict(1_000_000), 1);
    assert.is((await results.statistics()).resultCount, 0);
  });
});
