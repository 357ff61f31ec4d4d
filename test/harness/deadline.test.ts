import * as assert from 'uvu/assert';
import { withDeadline } from './deadline.ts';
import { measureSlowness, patience, slowness } from './slowness.ts';
import { suite } from './suite.ts';

const never = () => new Promise(() => {});

async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return (error as Error).message;
  }
}

suite('withDeadline()', (test) => {
  test('rejects when the body is not done in time', async () => {
    const message = await rejection(withDeadline(never, { usualMs: 5, measure: () => 1 }));
    assert.match(message, `missed its deadline of ${patience(5)} ms`);
  });

  test('passes on what the body throws, null included, and lets it end in time', async () => {
    await withDeadline(() => {}, { usualMs: 1 });
    assert.is(await rejection(withDeadline(async () => assert.unreachable('no'), { usualMs: 1000 })), 'no');
  });

  test('gives more time for as long as the machine becomes slower', async () => {
    const start = slowness();
    const measured = [start * 2, start * 3, start * 3];
    const extensions: number[] = [];
    const message = await rejection(
      withDeadline(never, {
        usualMs: 10,
        measure: () => measured.shift()!,
        onExtended: (ms) => extensions.push(ms),
      }),
    );
    assert.is(extensions.length, 2);
    assert.ok(
      extensions.every((ms) => ms > 0),
      `${extensions}`,
    );
    assert.match(message, `deadline of ${Math.ceil(start * 30)} ms`);
  });
});

suite('measureSlowness()', (test) => {
  test('is at least 1, and no more than what is broken', () => {
    const factor = measureSlowness();
    assert.ok(factor >= 1 && factor <= 30, `${factor}`);
  });
});
