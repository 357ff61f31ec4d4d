import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('ActionCache', (test) => {
  const open = (dir: string, notices: string[] = []) =>
    ActionCache.open(dir, { onNotice: (message) => void notices.push(message) });

  test('gives back what was written, also when opened again, bigints as text, any bytes in keys', async () => {
    await using dir = await tempDir();
    const odd = `e ${String.fromCharCode(0xdc80)}`;
    {
      await using cache = await open(dir.join('db'));
      await cache.write([
        { key: 'a 1', value: { n: 5n } },
        { key: odd, value: 'odd' },
        { key: 'b', value: 1 },
      ]);
      await cache.write([{ key: 'b' }]);
    }
    await using cache = await open(dir.join('db'));
    assert.equal(await cache.getMany(['b', 'a 1', odd]), [undefined, { n: '5' }, 'odd']);
    assert.equal(
      (await cache.list('a ')).map(({ key }) => key),
      ['a 1'],
    );
    assert.equal(
      (await cache.list('e ')).map(({ key }) => key),
      [odd],
    );
    await cache.clear();
    assert.equal(await cache.list(''), []);
  });

  test('belongs to one process: a second one is told that it is locked', async () => {
    await using dir = await tempDir();
    await using _first = await open(dir.join('db'));
    const error = await open(dir.join('db')).then(
      () => undefined,
      (reason) => reason,
    );
    assert.is(error?.code, 'database-locked');
  });

  test('begins anew when its files are cut short', async () => {
    await using dir = await tempDir();
    const records = Array.from({ length: 2000 }, (_, index) => ({
      key: `k ${index}`,
      value: 'x'.repeat(500),
    }));
    {
      await using cache = await open(dir.join('db'));
      await cache.write(records);
    }
    for (const name of readdirSync(dir.join('db'))) {
      const path = join(dir.join('db'), name);
      truncateSync(path, Math.floor(statSync(path).size / 2));
    }
    await using cache = await open(dir.join('db'));
    for (const { value } of await cache.list('')) assert.is(value, 'x'.repeat(500));
    await cache.write([{ key: 'k', value: 1 }]);
    assert.is(await cache.get('k'), 1);
  });
});
