import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { inheritedSignals } from '../../wrapper/inherited-signals.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { termiteEntry } from '../rigs/termite.ts';

suite('inheritedSignals()', (test) => {
  test('reads what the entry says', () => {
    assert.equal(inheritedSignals({ TERMITE_SIGNALS: '1 4000' }), ['1', '4000']);
    assert.is(inheritedSignals({}), undefined);
  });
});

suite('The entry', (test) => {
  test('starts Node with the script and all arguments, and says which signals were ignored', async () => {
    await using dir = await tempDir();
    dir.write('node', '#!/bin/sh\nprintf "%s\\n" "$TERMITE_SIGNALS" "$@"\n', { mode: 0o755 });
    const run = (line: string) =>
      spawnSync('sh', ['-c', line, termiteEntry], { env: { PATH: `${dir.path}:/bin` } }).stdout.toString();
    const script = /\/native\/build\/\.\.\/\.\.\/dist\/wrapper\/main\.js$/;
    const [signals, path, ...args] = run(`trap '' HUP; exec "$0" make 'a b'`).split('\n');
    assert.is(signals, '1 0');
    assert.match(path!, script);
    assert.equal(args, ['make', 'a b', '']);
    assert.is(run('exec "$0" make').split('\n')[0], '');
  });
});
