import { rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { LocalRules, parseLocalRules } from '../../master/local-rules.ts';
import { AppError } from '../../runtime/app-error.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

function complaint(text: string): string {
  try {
    parseLocalRules(text, '/p/.termite-localrc');
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
  return 'none';
}

suite('parseLocalRules()', (test) => {
  test('reads a list in the format of Termite 1, comments and all', () => {
    const { rules, notices } = parseLocalRules(
      [
        '# what must stay here',
        '// and why',
        '[',
        '',
        '  {"Regexp": "(?s).*termite-make", "Local": true, "Recurse": true, "SkipRefresh": true},',
        '# in between',
        '  {"Regexp": "^find .*>"},',
        '  {"Regexp": "^find ", "Local": true}',
        ']',
      ].join('\n'),
      'x',
    );
    assert.equal(
      rules.map(({ isLocal, isRecursive }) => [isLocal, isRecursive]),
      [
        [true, true],
        [false, false],
        [true, false],
      ],
    );
    assert.ok(rules[0]!.regexp.test('a\nb termite-make'));
    assert.equal(notices, []);
  });

  test('takes an empty file, and one of comments, for no rules', () => {
    assert.equal(parseLocalRules('', 'x').rules, []);
    assert.equal(parseLocalRules('# nothing\n\n', 'x').rules, []);
  });

  test('says that "Debug" has no effect', () => {
    assert.is(parseLocalRules('[{"Regexp": "x", "Debug": true}]', 'x').notices.length, 1);
  });

  const bad: [name: string, text: string, line: number, words: RegExp][] = [
    [
      'an unknown key',
      '# c\n[\n {"Regexp": "a"},\n {"Regexp": "b",\n  "Timeout": 3}\n]',
      5,
      /"Timeout": Unknown key/,
    ],
    ['a wrong type', '[\n {"Regexp": "a",\n  "Local": "yes"}]', 3, /"Local": .*boolean/],
    ['a missing regexp', '[\n\n {"Local": true}]', 3, /"Regexp": /],
    ['a malformed regexp', '[{"Local": true,\n"Regexp": "a("}]', 2, /"Regexp": .*a\(/],
    ['a regexp that only Go knows', '[\n{"Regexp": "[[:alpha:]]"}]', 2, /"Regexp": .*not supported/],
    ['JSON with a comma too many', '[\n {"Regexp": "a"},\n]', 3, /expected a value: got "]"/],
    ['JSON that ends early', '[\n {"Regexp": "a"}\n', 3, /got the end of the file/],
    ['JSON with a bare word', '[\n {Regexp: "a"}\n]', 2, /expected a key/],
    ['a key given twice', '[{"Regexp": "a",\n"Regexp": "b"}]', 2, /twice/],
    ['something behind the list', '[]\n[]', 2, /nothing more/],
    ['an object', '\n{"Regexp": "a"}', 2, /array/],
    ['an item that is no object', '[\n1\n]', 2, /object/],
  ];
  for (const [name, text, line, words] of bad) {
    test(`refuses ${name}, naming file and line`, () => {
      const message = complaint(text);
      assert.ok(message.startsWith(`Cannot use "/p/.termite-localrc", line ${line}: `), message);
      assert.match(message, words);
    });
  }

  const regexps: [source: string, text: string, matches: boolean][] = [
    ['gcc', 'x gcc y', true],
    ['^gcc', 'x gcc', false],
    ['a.b', 'a\nb', false],
    ['(?s)a.b', 'a\nb', true],
    ['(?i)GCC', 'gcc', true],
    ['(?P<name>a+)b', 'aab', true],
    ['\\Aab\\z', 'ab', true],
    ['\\Aab\\z', 'ab\n', false],
    ['a\\-b\\/c', 'a-b/c', true],
    ['[]x]', ']', true],
    ['[a[b]', '[', true],
    ['a{2}', 'aa', true],
  ];
  for (const [source, text, matches] of regexps) {
    test(`reads the regexp ${source} as Go does`, () => {
      const { rules } = parseLocalRules(JSON.stringify([{ Regexp: source }]), 'x');
      assert.is(rules[0]!.regexp.test(text), matches);
    });
  }
});

suite('LocalRules', (test) => {
  test('reads the file again when it has changed, appeared or gone', async () => {
    await using dir = await tempDir();
    const rules = new LocalRules(dir.path);
    assert.is(rules.current().rules.length, 0);
    const file = dir.write('.termite-localrc', '[{"Regexp": "a"}]');
    assert.is(rules.current().rules.length, 1);
    assert.is(rules.current(), rules.current());
    dir.write('.termite-localrc', '[{"Regexp": "a"}, {"Regexp": "b"}]');
    assert.is(rules.current().rules.length, 2);
    rmSync(file);
    assert.is(rules.current().rules.length, 0);
  });

  test('complains about a bad file each time, until it is right', async () => {
    await using dir = await tempDir();
    const rules = new LocalRules(dir.path);
    dir.write('.termite-localrc', '[');
    assert.throws(() => rules.current(), /line 1/);
    assert.throws(() => rules.current(), /line 1/);
    dir.write('.termite-localrc', '[] ');
    assert.is(rules.current().rules.length, 0);
  });
});
