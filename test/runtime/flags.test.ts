import * as assert from 'uvu/assert';
import { z } from 'zod';
import { explainError } from '../../runtime/app-error.ts';
import { parseFlags } from '../../runtime/flags.ts';
import { suite } from '../harness/suite.ts';

const schema = z.strictObject({
  listen: z.string().default('127.0.0.1:0').describe('Where to listen'),
  slotCount: z.number().int().min(1).optional().describe('Jobs at once'),
  name: z.string().describe('Its name'),
  quiet: z.boolean().default(false).describe('Says less'),
  color: z.boolean().default(true).describe('No colours'),
  mode: z.enum(['fast', 'safe']).default('fast').describe('How'),
  ignore: z.array(z.string()).default([]).describe('May be repeated'),
});
const parse = (...argv: string[]) => parseFlags(argv, { command: 'termite x', summary: 'Does x', schema });

function complaint(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    return explainError(error);
  }
  throw new Error('Nothing was thrown');
}

suite('parseFlags()', (test) => {
  test('gives values by their keys, and defaults', () => {
    const flags = parse(
      '--name',
      'n',
      '--slot-count=3',
      '--quiet',
      '--no-color',
      '--ignore',
      'a',
      '--ignore=b',
    );
    assert.equal(flags, {
      kind: 'values',
      values: {
        ...{ listen: '127.0.0.1:0', slotCount: 3, name: 'n', quiet: true, color: false, mode: 'fast' },
        ignore: ['a', 'b'],
      },
    });
    assert.equal(parse('--name=n'), {
      kind: 'values',
      values: { listen: '127.0.0.1:0', name: 'n', quiet: false, color: true, mode: 'fast', ignore: [] },
    });
  });

  test('makes help from descriptions and defaults, also when flags are missing', () => {
    const flags = parse('--help');
    assert.is(flags.kind, 'help');
    const text = flags.kind === 'help' ? flags.text : '';
    for (const part of [
      /^termite x \[flags\]\nDoes x\n/,
      /\n {2}--listen LISTEN {2,}Where to listen \(default: 127\.0\.0\.1:0\)\n/,
      /\n {2}--slot-count N {2,}Jobs at once\n/,
      /\n {2}--name NAME {2,}Its name \(required\)\n/,
      /\n {2}--no-color {2,}No colours\n/,
      /\n {2}--mode fast\|safe {2,}How \(default: fast\)\n/,
      /\n {2}--ignore IGNORE {2,}May be repeated\n/,
    ]) {
      assert.match(text, part);
    }
  });

  test('complains about unknown flags, missing values and positional arguments, with a way out', () => {
    assert.match(
      complaint('--nmae', 'n'),
      /^Cannot run "termite x": unknown option "--nmae"\n {2}See "termite x --help"$/,
    );
    assert.match(complaint('--name'), 'argument missing');
    assert.match(complaint('--name', 'n', 'more'), 'unexpected argument "more"');
    assert.match(complaint('--quiet=yes', '--name=n'), 'does not take an argument');
  });

  test('complains about values that make no sense, showing them', () => {
    assert.match(complaint('--name=n', '--slot-count=0'), /slotCount: .*\(current value: 0\)/);
    assert.match(complaint('--name=n', '--slot-count=many'), /slotCount: .*\(current value: "many"\)/);
    assert.match(complaint('--name=n', '--mode=slow'), /mode: /);
    assert.match(complaint(), /name: /);
  });
});
