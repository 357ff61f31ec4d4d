import * as assert from 'uvu/assert';
import { costlyVariables } from '../../master/costly-variables.ts';
import type { CommandRecord, Difference } from '../../protocol/build-log.ts';
import { suite } from '../harness/suite.ts';

function ran(...names: string[]): CommandRecord {
  const differences = names.map((name): Difference => ({ kind: 'environment', name, was: '1', is: '2' }));
  return {
    ...{ number: 1, line: 'x', cwd: '/p', where: 'remote', reason: 'new-command', wallMs: 1, outputs: [] },
    differences,
  };
}

suite('costlyVariables()', (test) => {
  test('tells the variables for each of which alone many commands ran, with the rule', () => {
    const records = [
      ...Array(10).fill(ran('STAMP')),
      ...Array(9).fill(ran('RARE')),
      ...Array(20).fill(ran('A', 'B')),
    ];
    const [sentence, ...more] = costlyVariables(records);
    assert.match(sentence!, /^10 commands ran only because variable STAMP /);
    assert.match(sentence!, /\{"Regexp":"","Env":\{"Ignore":\["STAMP"\]\}\}$/);
    assert.equal(more, []);
  });

  test('tells nothing of hits, and of commands that are new in other ways', () => {
    const others: Partial<CommandRecord>[] = [
      { where: 'cache' },
      { reason: 'inputs-changed' },
      { where: 'local' },
    ];
    for (const other of others) assert.equal(costlyVariables(Array(20).fill({ ...ran('X'), ...other })), []);
  });
});
