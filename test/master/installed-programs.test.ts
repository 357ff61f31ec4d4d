import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { InstalledPrograms } from '../../master/installed-programs.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const usual = '/usr/local/bin:/usr/bin:/bin';

suite('InstalledPrograms', (test) => {
  test('knows compilers and small programs of the system, by name and by path', async () => {
    const programs = new InstalledPrograms('/p', () => 0);
    for (const word of ['cc', 'gcc', 'ar', 'ld', 'sed', 'mv', '/usr/bin/gcc']) {
      assert.ok(programs.isInstalled(word, usual), word);
    }
    assert.not(programs.isInstalled('no-such-program', usual));
  });

  test('takes scripts, links to launchers, programs elsewhere, and relative ones for unknown', async () => {
    await using dir = await tempDir();
    mkdirSync(dir.join('bin'));
    writeFileSync(dir.join('bin/gcc'), '#!/bin/sh\nexec /usr/bin/gcc "$@"\n');
    chmodSync(dir.join('bin/gcc'), 0o755);
    symlinkSync('/bin/cat', dir.join('bin/cc'));
    const programs = new InstalledPrograms('/p', () => 0);
    for (const word of ['gcc', 'cc', './gcc', dir.join('bin/gcc')]) {
      assert.not(programs.isInstalled(word, `${dir.join('bin')}:${usual}`), word);
    }
    assert.not(programs.isInstalled('gcc', `bin:${usual}`), 'a relative PATH');
    assert.not(new InstalledPrograms('/usr', () => 0).isInstalled('gcc', usual), 'in the project');
  });

  test('looks again after a second', async () => {
    await using dir = await tempDir();
    let nowMs = 0;
    const programs = new InstalledPrograms('/p', () => nowMs);
    const path = `${dir.path}:${usual}`;
    assert.ok(programs.isInstalled('gcc', path));
    symlinkSync('/bin/cat', dir.join('gcc'));
    assert.ok(programs.isInstalled('gcc', path));
    nowMs = 1_000;
    assert.not(programs.isInstalled('gcc', path));
  });
});
