import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { showLine } from '../../runtime/say.ts';
import { suite } from '../harness/suite.ts';

const module = join(resolve(import.meta.dirname, '../..'), 'runtime/say.js');

/** What a call of the module leaves on stderr and stdout. */
function printed(call: string): string {
  const script = `import(${JSON.stringify(module)}).then((it) => it.${call})`;
  return execFileSync('sh', ['-c', 'exec "$@" 2>&1', 'sh', process.execPath, '-e', script], {
    encoding: 'utf8',
  });
}

suite('showLine()', (test) => {
  test('spells out what would move the cursor, turn text around, or end the line', () => {
    assert.is(showLine('a\x1b]0;x\x07\x9b2J\r\n\tb\x7f'), 'a\\x1b]0;x\\x07\\x9b2J\\r\\n\\tb\\x7f');
    assert.is(showLine('a\u202eb\u2066\u2028\u200f'), 'a\\u202eb\\u2066\\u2028\\u200f');
    assert.is(showLine('caf\udce9 \ud83d'), 'caf\\xe9 \\ud83d');
    assert.is(showLine('"naïve 文 👩‍💻"'), '"naïve 文 👩‍💻"');
  });

  test('leaves out the middle of what is too long', () => {
    const shown = showLine(`begin${'x'.repeat(120_000)}end`);
    assert.ok(shown.length < 1010, `${shown.length}`);
    assert.match(shown, /^beginx+ … x+end$/);
    assert.ok(showLine('\x1b'.repeat(120_000)).length < 5000);
  });
});

suite('say(), printLines()', (test) => {
  test('let nothing in a message pass for another message', () => {
    const call = String.raw`say("left \"a\ntermite: all is well\u001b[2J\"")`;
    assert.is(printed(call), 'termite: left "a\n  termite: all is well\\x1b[2J"\n');
    assert.is(printed(String.raw`printLines(["a\nb", "c"])`), 'a\\nb\nc\n');
  });
});
