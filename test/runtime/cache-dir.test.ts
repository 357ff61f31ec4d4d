import { chmodSync, mkdirSync, statSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { cacheDir, makePrivateDir } from '../../runtime/cache-dir.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('cacheDir()', (test) => {
  test('ignores an XDG_CACHE_HOME that is no absolute path', () => {
    for (const base of ['', 'cache', './cache'])
      assert.is(cacheDir({ HOME: '/home/me', XDG_CACHE_HOME: base }), '/home/me/.cache/termite', base);
    assert.is(cacheDir({ HOME: '/home/me', XDG_CACHE_HOME: '/cache' }), '/cache/termite');
  });
});

suite('makePrivateDir()', (test) => {
  test('leaves folders that only their owner enters, and closes one that was open', async () => {
    await using dir = await tempDir();
    makePrivateDir(dir.join('a/b'));
    mkdirSync(dir.join('open'));
    chmodSync(dir.join('open'), 0o755);
    makePrivateDir(dir.join('open'));
    for (const name of ['a', 'a/b', 'open']) assert.is(statSync(dir.join(name)).mode & 0o777, 0o700, name);
  });
});
