import * as assert from 'uvu/assert';
import { parseLocalRules } from '../../master/local-rules.ts';
import { JsonSyntaxError, parseLocatedJson } from '../../master/located-json.ts';
import { AppError } from '../../runtime/app-error.ts';
import { mutateBytes, mutateJson } from '../harness/mutate.ts';
import { suite } from '../harness/suite.ts';

const rules = [
  { Regexp: '^cc .*\\.c$', Reason: 'here', Timeout: 100 },
  { Regexp: 'ld', Network: true, Env: { Set: { A: 'b' }, Unset: ['C'], Ignore: ['CI_*'] } },
];

function locatedOrRefused(text: string): unknown {
  try {
    return parseLocatedJson(text).value;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

suite('.termite-localrc that is not as it should be', (test) => {
  test('parseLocalRules() takes mutated files or throws bad-configuration', () => {
    parseLocalRules(JSON.stringify(rules), '/p/.termite-localrc');
    const check = (text: string) => {
      try {
        parseLocalRules(text, '/p/.termite-localrc');
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'bad-configuration')) throw error;
      }
    };
    mutateJson([rules], check);
    mutateBytes([Buffer.from(`# a comment\n${JSON.stringify(rules, undefined, 1)}\n// another\n`)], (bytes) =>
      check(bytes.toString('latin1')),
    );
  });

  test('parseLocatedJson() gives what JSON.parse gives, or refuses it', () => {
    mutateJson([rules, { a: [1, -2.5e3, null, 'x\\u0041'] }], (text) => {
      const value = locatedOrRefused(text);
      if (value !== undefined) assert.equal(value, JSON.parse(text));
    });
  });

  test('parseLocatedJson() refuses what is nested more deeply than any rule, and says where', () => {
    for (const part of ['[', '{"a":'])
      assert.throws(
        () => parseLocatedJson(`\n${part.repeat(100_000)}`),
        (error: unknown) => error instanceof JsonSyntaxError && error.line === 2,
      );
  });

  test('parseLocatedJson() reads a long file in a time that grows as the file does', () => {
    const { value, lineOf } = parseLocatedJson(`[${'{"a": "b"},\n'.repeat(50_000)}1]`);
    assert.is((value as unknown[]).length, 50_001);
    assert.is(lineOf([40_000, 'a']), 40_001);
  });
});
