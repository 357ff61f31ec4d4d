import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { ambientVariables } from '../master/ambient-variables.ts';
import { suite } from './harness/suite.ts';

const page = join(resolve(import.meta.dirname, '../..'), 'docs/environment.md');
/** `UPDATE_README=1` writes the table into the page instead of comparing them. */
const isUpdate = process.env.UPDATE_README === '1';

suite('docs/environment.md', (test) => {
  test('names all variables that do not count as a build inherits them, and their sources', () => {
    const list = ambientVariables
      .map(
        ({ of, names, source }) =>
          `- **${of}**: ${names.map((name) => `\`${name}\``).join(', ')}. Source: ${source}.`,
      )
      .join('\n');
    const text = readFileSync(page, 'utf8');
    const block = /(?<=<!-- ambient-variables\.ts -->\n)[\s\S]*?(?=\n<!-- end -->)/;
    assert.match(text, block);
    const updated = text.replace(block, () => list);
    if (isUpdate) writeFileSync(page, updated);
    else assert.is(text, updated, 'run this test once with UPDATE_README=1');
  });

  test('names each variable once', () => {
    const names = ambientVariables.flatMap((group) => group.names);
    const twice = names.filter((name, index) => names.indexOf(name) !== index);
    assert.equal(twice, []);
  });
});
