import { setImmediate } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { SharedTask } from '../../master/shared-task.ts';
import { suite } from '../harness/suite.ts';

suite('SharedTask', (test) => {
  test('gives each caller a run that began after its call, and shares it', async () => {
    let begun = 0;
    let running = 0;
    const task = new SharedTask(async () => {
      begun += 1;
      running += 1;
      assert.is(running, 1, 'one at a time');
      await setImmediate();
      running -= 1;
    });
    const calls = [0, 1, 2, 3].map(async () => {
      const before = begun;
      await task.run();
      assert.ok(begun > before);
    });
    await Promise.all(calls);
    assert.is(begun, 2);
    await task.run();
    assert.is(begun, 3);
  });

  test('tells a failure to those who share it, and goes on', async () => {
    let runs = 0;
    const task = new SharedTask(async () => {
      runs += 1;
      await setImmediate();
      if (runs < 3) throw new Error(`run ${runs}`);
    });
    const results = await Promise.allSettled([task.run(), task.run(), task.run()]);
    assert.equal(
      results.map((result) => result.status === 'rejected' && result.reason.message),
      ['run 1', 'run 2', 'run 2'],
    );
    await task.run();
    await task.idle();
    assert.is(runs, 3);
  });
});
