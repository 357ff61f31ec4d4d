import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { randomOf } from '../harness/random.ts';
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

  test('killed while writing has lost nothing that was written, and no half of a batch', async () => {
    await using dir = await tempDir();
    const program = join(import.meta.dirname, '../fixtures/write-actions.js');
    const random = randomOf(1);
    let written = 0;
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [program, dir.join('db'), `${written}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(child, 'exit');
      const enough = written + 1 + random(150);
      for await (const line of createInterface(child.stdout)) {
        written = Number(line) + 1;
        if (written === enough) child.kill('SIGKILL');
      }
      await exit;
      await using cache = await open(dir.join('db'));
      const [a, b] = [await cache.list('a '), await cache.list('b ')];
      assert.equal(
        a.map(({ value }) => value),
        b.map(({ value }) => value),
      );
      // It may be ahead of what it has told, or of what we have read of that.
      assert.ok(a.length >= written, `${a.length} of ${written}`);
      written = a.length;
    }
    assert.ok(written > 100);
  });

  const records = Array.from({ length: 300 }, (_, index) => ({
    key: `k ${index}`,
    value: `${index} `.repeat(index),
  }));
  const harms: [what: string, harm: (content: Buffer, at: number) => Buffer][] = [
    ['one bit of one file flipped', (content, at) => flipped(content, at)],
    ['one file cut short', (content, at) => content.subarray(0, at)],
  ];
  for (const [what, harm] of harms) {
    test(`${what}: gives right records or none, and can be written to`, async () => {
      await using dir = await tempDir();
      const random = randomOf(2);
      // Both of tables and of a log.
      for (const half of [records.slice(0, 150), records.slice(150)]) {
        await using cache = await open(dir.join('whole'));
        await cache.write(half);
      }
      let lost = 0;
      for (let round = 0; round < 60; round++) {
        const db = dir.join(`db${round}`);
        cpSync(dir.join('whole'), db, { recursive: true });
        const files = readdirSync(db).filter((name) => statSync(join(db, name)).size > 0);
        const path = join(db, files[random(files.length)]!);
        const content = readFileSync(path);
        writeFileSync(path, harm(content, random(content.length)));
        await using cache = await open(db);
        // As when many commands are looked up at once.
        const found = await Promise.all(records.map(({ key }) => cache.get(key)));
        for (const [index, value] of found.entries()) {
          if (value === undefined) lost += 1;
          else assert.is(value, records[index]!.value);
        }
        for (const { key, value } of await cache.list(''))
          assert.is(value, records.find((record) => record.key === key)?.value);
        await cache.write(records);
        assert.equal(
          await cache.getMany(records.map(({ key }) => key)),
          records.map(({ value }) => value),
        );
      }
      assert.ok(lost > 0, 'no harm was done');
    });
  }
});

function flipped(content: Buffer, at: number): Buffer {
  const copy = Buffer.from(content);
  copy[at] = copy[at]! ^ 4;
  return copy;
}
