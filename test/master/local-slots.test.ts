import * as assert from 'uvu/assert';
import { LocalSlots } from '../../master/local-slots.ts';
import { suite } from '../harness/suite.ts';

/** Slots with processes that end when a test says so. */
function slotsRig(slotCount: number) {
  const ends = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  let openCount = 0;
  let closeCount = 0;
  const slots = new LocalSlots({
    slotCount,
    openWatch: async () => {
      openCount += 1;
      return {
        processEnded: (pid) => new Promise((resolve, reject) => ends.set(pid, { resolve, reject })),
        [Symbol.asyncDispose]: async () => {
          closeCount += 1;
        },
      };
    },
  });
  const granted: number[] = [];
  const ask = (processId: number, signal = new AbortController().signal) =>
    slots.grant({ processId, env: [] }, signal).then((holds) => {
      if (holds) granted.push(processId);
    });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { slots, ends, granted, ask, settle, counts: () => ({ openCount, closeCount }) };
}

suite('LocalSlots', (test) => {
  test('grants so many at a time, first come first served', async () => {
    const { granted, ask, ends, settle } = slotsRig(2);
    for (const pid of [1, 2, 3, 4]) void ask(pid);
    await settle();
    assert.equal(granted, [1, 2]);
    ends.get(2)!.resolve();
    await settle();
    assert.equal(granted, [1, 2, 3]);
    ends.get(1)!.resolve();
    ends.get(3)!.resolve();
    await settle();
    assert.equal(granted, [1, 2, 3, 4]);
  });

  test('counts every slot once, however its process ends', async () => {
    const { slots, ask, ends, settle, counts } = slotsRig(3);
    await Promise.all([1, 2, 3].map((pid) => ask(pid)));
    await settle();
    assert.is(slots.freeCount, 0);
    ends.get(1)!.resolve();
    ends.get(2)!.reject(new Error('the watch is lost'));
    ends.get(3)!.reject(new Error('the watch is lost'));
    await settle();
    assert.is(slots.freeCount, 3);
    await ask(4);
    assert.equal(counts(), { openCount: 2, closeCount: 0 });
    await slots[Symbol.asyncDispose]();
    assert.equal(counts(), { openCount: 2, closeCount: 1 });
  });

  test('forgets whoever gives up waiting', async () => {
    const { granted, ask, ends, settle } = slotsRig(1);
    const impatient = new AbortController();
    await ask(1);
    await settle();
    const second = ask(2, impatient.signal);
    const third = ask(3);
    impatient.abort();
    assert.match(await second.catch((error) => error.name), /AbortError/);
    ends.get(1)!.resolve();
    await third;
    assert.equal(granted, [1, 3]);
  });

  test('asks none of those that have one through their parent, and of those that will not run here', async () => {
    const { slots, counts } = slotsRig(1);
    const { signal } = new AbortController();
    assert.is(await slots.grant({ processId: 5, env: ['A=b', 'TERMITE_SLOT=1'] }, signal), false);
    assert.is(await slots.grant({ processId: 0, env: [] }, signal), false);
    assert.is(slots.freeCount, 1);
    assert.equal(counts(), { openCount: 0, closeCount: 0 });
  });
});
