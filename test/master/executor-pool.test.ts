import * as assert from 'uvu/assert';
import { ExecutorPool, type Lease } from '../../master/executor-pool.ts';
import { type Failure, fail, type Result } from '../../runtime/failure.ts';
import { suite } from '../harness/suite.ts';
import { hanging } from './dispatcher-rig.ts';

const content = { read: async () => undefined, getMany: async () => [] };

function rig(...members: [name: string, slotCount: number][]) {
  const clock = { now: 0, nowMs: () => clock.now };
  const pool = new ExecutorPool(clock);
  const add = (name: string, slotCount: number) =>
    pool.add({ name, slotCount, content, executor: { execute: (job, { signal }) => hanging(job, signal) } });
  for (const member of members) add(...member);
  const acquire = (signal = new AbortController().signal, avoid: string[] = [], slotCount = 1) =>
    pool.acquire({ signal, avoid: new Set(avoid), slotCount });
  return { clock, pool, add, acquire };
}

function held(result: Result<Lease>): Lease {
  if (!result.ok) throw new Error(`Not a lease: ${result.failure.reason}`);
  return result.value;
}
const nameOf = (result: Result<Lease>) => (result.ok ? result.value.member.name : result.failure.reason);
const sandbox: Failure = { reason: 'sandbox', message: 'x' };
const lost: Failure = { reason: 'executor-lost', executor: 'a', message: 'x' };

suite('ExecutorPool', (test) => {
  test('takes the executor with the smallest share of its slots taken', async () => {
    const { acquire } = rig(['a', 1], ['b', 3]);
    const names = [];
    for (let i = 0; i < 4; i++) names.push(nameOf(await acquire()));
    assert.equal(names, ['a', 'b', 'b', 'b']);
  });

  test('serves those who wait in order, also as executors appear', async () => {
    const { acquire, add } = rig(['a', 1]);
    const lease = held(await acquire());
    const order: string[] = [];
    const waiting = ['first', 'second', 'third'].map((name) =>
      acquire().then((result) => order.push(`${name} ${nameOf(result)}`)),
    );
    lease.release();
    lease.release();
    await waiting[0];
    assert.equal(order, ['first a']);
    add('b', 2);
    await Promise.all(waiting);
    assert.equal(order, ['first a', 'second b', 'third b']);
  });

  test('gives several slots of one executor, all of it when it has fewer, and lets nobody overtake', async () => {
    const { acquire, pool } = rig(['a', 3]);
    const many = (slotCount: number) => acquire(undefined, [], slotCount);
    const leases = [held(await many(2)), held(await many(1))];
    const order: string[] = [];
    const waiting = [5, 1].map((count) =>
      many(count).then((result) => {
        order.push(`${count} of ${pool.members()[0]!.running}`);
        return held(result);
      }),
    );
    leases[0]!.release();
    assert.is(pool.members()[0]!.running, 1, 'two are free, and the first wants all');
    leases[1]!.release();
    (await waiting[0]!).release();
    await Promise.all(waiting);
    assert.equal(order, ['5 of 3', '1 of 1']);
  });

  test('ends the waiting of who is aborted, and of everybody when the last executor goes', async () => {
    const { acquire, pool } = rig(['a', 1]);
    await acquire();
    const abort = new AbortController();
    const aborted = acquire(abort.signal);
    const left = acquire();
    abort.abort();
    assert.is(nameOf(await aborted), 'cancelled');
    pool.remove('a');
    assert.is(nameOf(await left), 'no-executor');
    assert.is(nameOf(await acquire(abort.signal)), 'cancelled');
  });

  test('avoids executors as long as there are others', async () => {
    const { acquire, pool } = rig(['a', 1], ['b', 1]);
    held(await acquire(undefined, ['a'])).release();
    assert.is(nameOf(await acquire(undefined, ['a'])), 'b');
    pool.remove('b');
    assert.is(nameOf(await acquire(undefined, ['a'])), 'a');
  });

  test('lets an executor that is lost rest for 5 s, then twice as long, up to 60 s', async () => {
    const { acquire, clock } = rig(['a', 1]);
    for (const seconds of [5, 10, 20, 40, 60, 60]) {
      const lease = held(await acquire());
      lease.note(fail(lost));
      lease.release();
      assert.is(nameOf(await acquire()), 'no-executor');
      clock.now += seconds * 1000 - 1;
      assert.is(nameOf(await acquire()), 'no-executor');
      clock.now += 1;
    }
    const lease = held(await acquire());
    lease.note({ ok: false, failure: { reason: 'limit', limit: { kind: 'refused-write', path: '/' } } });
    lease.note(fail(lost));
    lease.release();
    clock.now += 5000;
    assert.is(nameOf(await acquire()), 'a');
  });

  test('does not blame an executor for a sandbox that fails once or twice', async () => {
    const { acquire } = rig(['a', 1]);
    for (const expected of ['a', 'a', 'no-executor']) {
      const lease = held(await acquire());
      lease.note(fail(sandbox));
      lease.release();
      const next = await acquire();
      assert.is(nameOf(next), expected);
      if (next.ok) next.value.release();
    }
  });

  test('counts its slots', async () => {
    const { acquire, pool } = rig(['a', 1], ['b', 3]);
    assert.is(pool.slotCount, 4);
    await acquire();
    assert.equal(pool.members(), [
      { name: 'a', slots: 1, running: 1 },
      { name: 'b', slots: 3, running: 0 },
    ]);
  });
});
