import * as assert from 'uvu/assert';
import type { CommandRecord, Difference } from '../../protocol/build-log.ts';
import { summarizeReasons } from '../../wrapper/summarize-reasons.ts';
import { suite } from '../harness/suite.ts';

function command(record: Partial<CommandRecord>): CommandRecord {
  return {
    ...{ number: 1, line: 'x', cwd: '/p', where: 'remote', wallMs: 1, outputs: [], differences: [] },
    ...record,
  };
}

suite('summarizeReasons()', (test) => {
  test('groups commands by where they ran, why, and what differed', () => {
    const variable: Difference = { kind: 'environment', name: 'X', was: '1', is: '2' };
    const header: Difference = { kind: 'path', name: 'a.h', was: 'absent', is: 'f 420 some' };
    const age: Difference = { kind: 'age', name: 'in', was: 'older than "out"', is: 'newer than "out"' };
    const commands = [
      ...Array(12).fill(command({ where: 'cache' })),
      ...Array(3).fill(command({ reason: 'new-command', differences: [variable] })),
      ...Array(2).fill(command({ reason: 'inputs-changed', differences: [header, age] })),
      command({ reason: 'new-command' }),
      command({ where: 'local', reason: 'rule' }),
    ];
    assert.equal(summarizeReasons(commands), [
      '12 from cache',
      ' 3 run: variable X differed',
      ' 2 run: "a.h", the age of "in" differed',
      ' 1 run: this command has not been run before, so or in this folder',
      ' 1 local: rule',
    ]);
  });

  test('counts what would not fit into a line', () => {
    const differences = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(
      (name): Difference => ({ kind: 'path', name, was: 'absent', is: 'absent' }),
    );
    const [line] = summarizeReasons([command({ reason: 'inputs-changed', differences })]);
    assert.is(line, '1 run: "a", "b", "c", "d", "e" and 2 more differed');
  });
});
