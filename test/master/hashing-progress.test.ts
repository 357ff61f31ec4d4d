import * as assert from 'uvu/assert';
import { hashingProgress } from '../../master/hashing-progress.ts';
import { suite } from '../harness/suite.ts';

suite('hashingProgress()', (test) => {
  test('says nothing in the first second, then once a second', () => {
    let nowMs = 5000;
    const said: string[] = [];
    const progress = hashingProgress({ nowMs: () => nowMs }, (message) => said.push(message));
    for (const [time, hashed] of [
      [5001, 1],
      [5999, 2],
      [6000, 3],
      [6500, 4],
      [7000, 5],
    ] as const) {
      nowMs = time;
      progress(hashed, 9);
    }
    assert.equal(said, ['hashing the project: 3 of 9 files', 'hashing the project: 5 of 9 files']);
  });
});
