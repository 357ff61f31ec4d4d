import * as assert from 'uvu/assert';
import { isDuringRun } from '../../protocol/during-run.ts';
import { suite } from '../harness/suite.ts';

suite('isDuringRun()', (test) => {
  const millisecond = 1_000_000n;
  const startedNs = 1_000_000n * millisecond;
  const finishedNs = startedNs + 5n * millisecond;

  test('allows for a clock that ticks only a hundred times a second', () => {
    for (const timeNs of [startedNs - 10n * millisecond, startedNs, finishedNs, finishedNs + millisecond])
      assert.ok(isDuringRun(timeNs, { startedNs, finishedNs }), `${timeNs}`);
  });

  test('tells the time of what was written just before from that of what the command has written', () => {
    assert.not(isDuringRun(startedNs - 100n * millisecond, { startedNs, finishedNs }));
    assert.not(isDuringRun(finishedNs + 100n * millisecond, { startedNs, finishedNs }));
    assert.ok(isDuringRun(finishedNs + 100n * millisecond, { startedNs }));
  });
});
