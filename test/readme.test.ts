import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { secretPlaces } from '../master/privacy.ts';
import { suite } from './harness/suite.ts';

const packageRoot = resolve(import.meta.dirname, '../..');
const readmeFile = join(packageRoot, 'README.md');

/** `UPDATE_README=1` writes the help texts into the README instead of comparing them. */
const isUpdate = process.env.UPDATE_README === '1';

suite('README', (test) => {
  for (const daemon of ['master', 'executor', 'coordinator']) {
    test(`has the flags of termite ${daemon} as --help prints them`, () => {
      const program = join(packageRoot, 'dist/wrapper/main.js');
      const help = execFileSync(process.execPath, [program, daemon, '--help'], {
        encoding: 'utf8',
      }).trimEnd();
      const readme = readFileSync(readmeFile, 'utf8');
      const block = new RegExp(`^\`\`\`text\\ntermite ${daemon} [^]*?^\`\`\`$`, 'm');
      assert.match(readme, block);
      const updated = readme.replace(block, () => `\`\`\`text\n${help}\n\`\`\``);
      if (isUpdate) writeFileSync(readmeFile, updated);
      else assert.is(readme, updated, 'run this test once with UPDATE_README=1');
    });
  }

  test('lists the places that are secret', () => {
    const readme = readFileSync(readmeFile, 'utf8');
    for (const place of secretPlaces) assert.ok(readme.includes(`\`${place}\``), place);
  });
});
