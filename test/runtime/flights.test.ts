import * as assert from 'uvu/assert';
import { Flights } from '../../runtime/flights.ts';
import { suite } from '../harness/suite.ts';

suite('Flights', (test) => {
  test('join() begins once per key at a time', async () => {
    const flights = new Flights<number>();
    let count = 0;
    const start = async () => ++count;
    const [first, same, other] = [
      flights.join('a', start),
      flights.join('a', start),
      flights.join('b', start),
    ];
    assert.is(first, same);
    assert.equal(await Promise.all([first, other]), [1, 2]);
    assert.is(await flights.join('a', start), 3);
  });

  test('idle() waits for what is under way, however it ends', async () => {
    const flights = new Flights<void>();
    let isLanded = false;
    const landing = flights.join('a', async () => {
      await new Promise((wake) => setTimeout(wake, 20));
      isLanded = true;
      throw new Error('hard');
    });
    landing.catch(() => {});
    await flights.idle();
    assert.is(isLanded, true);
    await flights.idle();
  });

  test('join() tells all of a failure, and begins anew after it', async () => {
    const flights = new Flights<string>();
    const fail = async () => {
      throw new Error('lost');
    };
    const outcomes = await Promise.allSettled([flights.join('a', fail), flights.join('a', fail)]);
    assert.equal(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.is(await flights.join('a', async () => 'found'), 'found');
  });
});
