import * as assert from 'uvu/assert';
import { Slots } from '../../executor/slots.ts';
import { suite } from '../harness/suite.ts';

const never = new AbortController().signal;

suite('Slots', (test) => {
  test('acquire() gives each slot to one at a time', async () => {
    const slots = new Slots(2);
    const taken = [await slots.acquire(never), await slots.acquire(never)];
    assert.is(taken.length, 2);
    assert.is(slots.freeCount, 0);
  });

  test('acquire() serves those who wait in the order in which they came', async () => {
    const slots = new Slots(1);
    const first = await slots.acquire(never);
    const order: string[] = [];
    const wait = async (name: string) => {
      using _slot = await slots.acquire(never);
      order.push(name);
    };
    const waiting = [wait('a'), wait('b'), wait('c')];
    assert.is(slots.waitingCount, 3);
    first[Symbol.dispose]();
    await Promise.all(waiting);
    assert.equal(order, ['a', 'b', 'c']);
    assert.is(slots.freeCount, 1);
  });

  test('acquire() rejects when aborted, at once and while waiting, and takes nothing', async () => {
    const slots = new Slots(1);
    await rejection(slots.acquire(AbortSignal.abort(new Error('before'))), 'before');
    const first = await slots.acquire(never);
    const aborter = new AbortController();
    const waiting = slots.acquire(aborter.signal);
    const next = slots.acquire(never);
    aborter.abort(new Error('meanwhile'));
    await rejection(waiting, 'meanwhile');
    first[Symbol.dispose]();
    (await next)[Symbol.dispose]();
    assert.is(slots.freeCount, 1);
  });

  test('acquire() gives several slots, all when there are fewer, and lets nobody overtake', async () => {
    const slots = new Slots(3);
    const one = await slots.acquire(never);
    const order: number[] = [];
    const wait = async (count: number) => {
      using _slots = await slots.acquire(never, count);
      order.push(count);
    };
    const waiting = [wait(9), wait(1), wait(2)];
    assert.equal([slots.freeCount, slots.waitingCount], [2, 3]);
    one[Symbol.dispose]();
    await Promise.all(waiting);
    assert.equal(order, [9, 1, 2]);
    assert.is(slots.freeCount, 3);
  });

  test('acquire() lets the next begin when who wanted many gives up', async () => {
    const slots = new Slots(2);
    await slots.acquire(never);
    const aborter = new AbortController();
    const many = slots.acquire(aborter.signal, 2);
    const one = slots.acquire(never);
    aborter.abort(new Error('enough'));
    await rejection(many, 'enough');
    (await one)[Symbol.dispose]();
  });

  test('a slot given back twice is free once', async () => {
    const slots = new Slots(1);
    const slot = await slots.acquire(never);
    slot[Symbol.dispose]();
    slot[Symbol.dispose]();
    assert.is(slots.freeCount, 1);
  });
});

async function rejection(promise: Promise<unknown>, message: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.is(error?.message, message);
}
