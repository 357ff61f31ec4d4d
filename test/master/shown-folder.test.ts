import { mkdirSync, symlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { withShownFolder } from '../../master/shown-folder.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('withShownFolder()', (test) => {
  test('corrects a PWD that names another folder, and leaves one that names the same', async () => {
    await using dir = await tempDir();
    const real = dir.join('real');
    mkdirSync(real);
    symlinkSync('real', dir.join('link'));
    const shown = (folder: string) => withShownFolder(['A=1', `PWD=${folder}`], real)[1];
    assert.is(shown(real), `PWD=${real}`);
    assert.is(shown(dir.join('link')), `PWD=${dir.join('link')}`);
    for (const other of [dir.path, dir.join('nowhere'), 'real', '']) assert.is(shown(other), `PWD=${real}`);
    assert.equal(withShownFolder(['A=1'], real), ['A=1'], 'is not set where it is not');
  });
});
