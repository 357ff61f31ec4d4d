import { mkdirSync, symlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { shownDirectories } from '../../master/own-places.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('shownDirectories()', (test) => {
  test('names what leads to the project, to home and to folders that the environment names, as far as it exists', async () => {
    await using dir = await tempDir('/tmp');
    mkdirSync(dir.join('p/q'), { recursive: true, mode: 0o755 });
    mkdirSync(dir.join('t'), { mode: 0o1777 });
    mkdirSync(dir.join('bin'));
    dir.write('file', '');
    symlinkSync('t', dir.join('link'));
    const shown = shownDirectories({
      projectRoot: dir.join('p/q'),
      home: '/home/me',
      env: [
        `TMPDIR=${dir.join('t')}/`,
        `TMP=${dir.join('none/x')}`,
        `TEMP=${dir.join('link')}`,
        `PATH=/usr/bin:${dir.join('bin')}::relative:${dir.join('file')}:/bin`,
      ],
    });
    const paths = shown.map(({ path }) => path);
    assert.equal(paths, [dir.path, dir.join('p'), dir.join('p/q'), dir.join('t'), dir.join('bin')]);
  });

  test('names nothing outside of these places', () => {
    assert.equal(shownDirectories({ projectRoot: '/srv/p', home: '/root', env: ['TMPDIR=/tmp'] }), []);
  });
});
