import * as assert from 'uvu/assert';
import { CoordinatedExecutors } from '../../master/coordinated-executors.ts';
import { ExecutorPool } from '../../master/executor-pool.ts';
import type { ExecutorInfo } from '../../protocol/executor-info.ts';
import { testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';

const info = (name: string, slots: number, port = 1): ExecutorInfo => ({
  ...{ name, slots, url: `https://127.0.0.1:${port}`, free: slots, waiting: 0 },
});

/** A coordinator that answers with the next of these lists, the last one for ever. */
function coordinator(...answers: (ExecutorInfo[] | Error)[]) {
  let asked = 0;
  let onAsked: (() => void) | undefined;
  return {
    url: 'http://coordinator',
    list: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      queueMicrotask(() => onAsked?.());
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async until(count: number) {
      while (asked < count) await new Promise<void>((resolve) => (onAsked = resolve));
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

suite('CoordinatedExecutors', (test) => {
  test('keeps in the pool what the coordinator lists', async () => {
    const pool = new ExecutorPool({ nowMs: () => 0 });
    const lists = coordinator([info('a', 2), info('b', 3)], [info('b', 4), info('c', 1)]);
    await using executors = await CoordinatedExecutors.start({
      coordinator: lists,
      token: testToken,
      pool,
      report: () => {},
    });
    assert.ok(executors);
    assert.equal(
      pool.members().map(({ name, slots }) => [name, slots]),
      [
        ['a', 2],
        ['b', 3],
      ],
    );
    await lists.until(2);
    assert.equal(
      pool.members().map(({ name, slots }) => [name, slots]),
      [
        ['b', 4],
        ['c', 1],
      ],
    );
  });

  test('keeps what it knows while the coordinator is away, and says so once', async () => {
    const pool = new ExecutorPool({ nowMs: () => 0 });
    const said: string[] = [];
    const lists = coordinator([info('a', 2)], new Error('refused'), new Error('refused'), [info('a', 2)]);
    const executors = await CoordinatedExecutors.start({
      coordinator: lists,
      token: testToken,
      pool,
      report: (text) => said.push(text),
    });
    await lists.until(4);
    assert.is(pool.slotCount, 2);
    assert.equal(said, ['cannot reach the coordinator: refused', 'coordinator http://coordinator is back']);
    await executors[Symbol.asyncDispose]();
    assert.is(pool.slotCount, 0);
  });
});
