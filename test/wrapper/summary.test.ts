import * as assert from 'uvu/assert';
import type { Report } from '../../protocol/control.ts';
import { summarize } from '../../wrapper/summary.ts';
import { suite } from '../harness/suite.ts';

const nothing: Report = {
  ...{ commands: 0, cached: 0, remote: 0, local: 0, fallbacks: 0, conflicts: 0, failed: 0 },
  ...{ verified: 0, mismatched: 0 },
  ...{ localByReason: {}, localByRule: {}, wallMs: 0 },
};

suite('summarize()', (test) => {
  test('names every part that there is', () => {
    const localByReason = { recursive: 2, rule: 1, trivial: 4, 'no-executor': 2 };
    const report = {
      commands: 345,
      cached: 290,
      remote: 46,
      local: 9,
      fallbacks: 2,
      conflicts: 1,
      failed: 3,
    };
    assert.equal(summarize({ ...nothing, ...report, localByReason, wallMs: 41_249 }, { startingMs: 0 }), [
      '345 commands in 41.2 s: 290 from cache, 46 remote, 9 local (2 recursive, 1 rule, 4 trivial, 2 fallbacks), 1 conflict, 3 failed',
    ]);
  });

  test('counts the start, and tells of one that takes long', () => {
    assert.equal(summarize({ ...nothing, commands: 8, remote: 8, wallMs: 3_700 }, { startingMs: 2_300 }), [
      '8 commands in 6.0 s, 2.3 s of it starting: 8 remote',
    ]);
  });

  test('leaves out what there is not', () => {
    assert.equal(summarize({ ...nothing, wallMs: 200 }, { startingMs: 100 }), ['0 commands in 0.3 s']);
    assert.equal(summarize({ ...nothing, commands: 1, remote: 1, wallMs: 1000 }, { startingMs: 0 }), [
      '1 command in 1.0 s: 1 remote',
    ]);
  });
});
