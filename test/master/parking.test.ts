import * as assert from 'uvu/assert';
import { Parking } from '../../master/parking.ts';
import { suite } from '../harness/suite.ts';

suite('Parking', (test) => {
  test('opens one door when several builds are refused at once', async () => {
    const door = { withdraw: () => {}, close: () => {} };
    let opened = 0;
    const ends: string[] = [];
    using parking = new Parking({
      ...{ patienceMs: 60_000, frontDoor: door, isIdle: () => true, isSound: () => true, suits: () => true },
      openFrontDoor: async () => door,
      openSideDoor: async () => {
        opened += 1;
        return door;
      },
      recheck: async () => {},
      tidy: async () => {},
      end: () => ends.push('ended'),
      onNotice: (message) => ends.push(message),
    });
    await Promise.all([parking.park(), parking.park()]);
    assert.is(opened, 1);
    assert.ok(await parking.admit('', () => {}));
    await Promise.all([parking.park(), parking.park()]);
    assert.is(opened, 2);
    assert.equal(ends, []);
  });
});
