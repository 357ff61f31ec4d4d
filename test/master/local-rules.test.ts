import { rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { usualTreatment } from '../../master/local-rule.ts';
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
        [undefined, false],
        [true, false],
      ],
    );
    assert.ok(rules[0]!.regexp.test('a\nb termite-make'));
    assert.equal(notices, []);
  });

  test('reads what is private, which is no rule about commands', () => {
    const { rules, privatePlaces } = parseLocalRules(
      '[{"Private": ["~/keys", "/opt/licence"], "Reason": "ours"}, {"Regexp": "x"}, {"Private": ["/srv"]}]',
      'x',
    );
    assert.is(rules.length, 1);
    assert.equal(privatePlaces, ['~/keys', '/opt/licence', '/srv']);
    for (const wrong of ['["keys"]', '["/"]', '["/a/"]', '["~"]', '"/a"'])
      assert.match(complaint(`[{"Private": ${wrong}}]`), /line 1: "Private/, wrong);
    assert.match(complaint('[{"Private": ["/a"], "Local": true}]'), /"Local": Unknown key/);
    assert.match(complaint('[{"Privat": ["/a"]}]'), /did you mean "Private"/);
  });

  test('reads how a command is treated', () => {
    const [given, silent, cached] = parseLocalRules(
      JSON.stringify([
        {
          ...{ Regexp: 'a', Network: true, Timeout: 1.5, Stdin: 'empty', Slots: 3, Reason: 'why' },
          Env: { Ignore: ['A'], Count: ['TERM'], Unset: ['B_*'], Set: { C: '1' } },
        },
        { Regexp: 'b' },
        { Regexp: 'c', Cache: 'failures' },
      ]),
      'x',
    ).rules;
    assert.equal(given?.treatment, {
      ...{ cache: 'none', hasNetwork: true, timeoutMs: 1500, hasEmptyStdin: true, slotCount: 3 },
      env: { ignored: ['A'], counted: ['TERM'], unset: ['B_*'], set: { C: '1' } },
      believesFailure: true,
    });
    assert.is(given?.reason, 'why');
    assert.equal(silent?.treatment, usualTreatment);
    assert.is(cached?.treatment.cache, 'failures');
  });

  test('knows where each rule begins', () => {
    const { rules } = parseLocalRules('# c\n[{"Regexp": "a"},\n\n {\n"Regexp": "b"}]', 'x');
    assert.equal(
      rules.map(({ line }) => line),
      [2, 4],
    );
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
      '# c\n[\n {"Regexp": "a"},\n {"Regexp": "b",\n  "TimeOut": 3}\n]',
      5,
      /"TimeOut": Unknown key/,
    ],
    ['a wrong type', '[\n {"Regexp": "a",\n  "Local": "yes"}]', 3, /"Local": .*boolean/],
    [
      'a "Cache" that is neither',
      '[{"Regexp": "a",\n"Cache": "yes"}]',
      2,
      /"Cache": expected true, false or/,
    ],
    ['a "Timeout" of nothing', '[{"Regexp": "a",\n"Timeout": 0}]', 2, /"Timeout": .*>0/],
    ['a "Timeout" as text', '[{"Regexp": "a",\n"Timeout": "3s"}]', 2, /"Timeout": .*number/],
    ['half a slot', '[{"Regexp": "a",\n"Slots": 1.5}]', 2, /"Slots": .*int/],
    ['another "Stdin"', '[{"Regexp": "a",\n"Stdin": "closed"}]', 2, /"Stdin": .*"forward"\|"empty"/],
    ['an empty "Reason"', '[{"Regexp": "a",\n"Reason": ""}]', 2, /"Reason": /],
    ['an unknown key of "Env"', '[{"Regexp": "a",\n"Env": {\n"Drop": []}}]', 3, /"Env.Drop": Unknown key/],
    [
      'a value among names',
      '[{"Regexp": "a",\n"Env": {"Ignore": [\n"A=1"]}}]',
      3,
      /"Env.Ignore\[0\]": .*name/,
    ],
    ['a pattern to be set', '[{"Regexp": "a",\n"Env": {"Set": {\n"A*": "1"}}}]', 3, /"Env.Set.A\*": /],
    [
      'a variable that counts and does not',
      '[{"Regexp": "a", "Env": {"Ignore": ["A"],\n"Count": ["A"]}}]',
      2,
      /"Env.Count\[0\]": A is in "Ignore" too/,
    ],
    [
      'a variable that is set and unset',
      '[{"Regexp": "a", "Env": {"Set": {"A": "1"},\n"Unset": ["A"]}}]',
      2,
      /"Env.Unset\[0\]": A is in "Set" too/,
    ],
    ['"Timeout" where make is', '[{"Regexp": "a", "Local": true,\n"Timeout": 1}]', 2, /no effect .* "Local"/],
    ['"Slots" where make is', '[{"Regexp": "a", "Local": true,\n"Slots": 2}]', 2, /no effect .* "Local"/],
    [
      'to cache what has the network',
      '[{"Regexp": "a", "Network": true,\n"Cache": true}]',
      2,
      /"Cache": .*"Network" are never kept/,
    ],
    ['a missing regexp', '[\n\n {"Local": true}]', 3, /"Regexp": /],
    ['a mistyped key', '[{"Regex": "a"}]', 1, /"Regex": Unknown key: did you mean "Regexp"\?/],
    [
      'one backslash where two are meant',
      '[{"Regexp": "a\\.o$"}]',
      1,
      /"\\\." is no escape in JSON: write "\\\\\."/,
    ],
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
