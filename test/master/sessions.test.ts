import * as assert from 'uvu/assert';
import { IdleWatch } from '../../master/idle-watch.ts';
import { Session } from '../../master/session.ts';
import { Sessions } from '../../master/sessions.ts';
import { systemClock } from '../../runtime/clock.ts';
import { suite } from '../harness/suite.ts';

suite('Sessions', (test) => {
  test('is not idle while the end of a build is being written down', async () => {
    let finishWriting: () => void = () => {};
    let idleCount = 0;
    const sessions = new Sessions({
      clock: systemClock,
      onIdle: () => {
        idleCount += 1;
      },
      onClose: () =>
        new Promise((resolve) => {
          finishWriting = resolve;
        }),
    });
    const session = sessions.open(() => {});
    const closing = sessions.close(session);
    await new Promise(setImmediate);
    assert.equal([sessions.count, sessions.isIdle], [0, false]);
    // Neither somebody else who is refused meanwhile nor a timer that fires meanwhile ends the master.
    await sessions.refused();
    using watch = new IdleWatch({
      isIdle: () => sessions.isIdle,
      end: () => assert.unreachable('ended in the middle of a build'),
      parking: undefined,
    });
    await watch.check(undefined);
    assert.is(idleCount, 0);
    finishWriting();
    await closing;
    assert.equal([sessions.isIdle, idleCount], [true, 1]);
  });

  test('is idle again after an end that went wrong', async () => {
    const sessions = new Sessions({
      clock: systemClock,
      onIdle: () => {},
      onClose: () => Promise.reject(new Error('disk on fire')),
    });
    await sessions.close(sessions.open(() => {})).catch(() => {});
    assert.ok(sessions.isIdle);
  });

  test('keeps no list of the commands that belong to no build, and no more than so many of any', () => {
    const sessions = new Sessions({ clock: systemClock, onIdle: () => {} });
    const anonymous = sessions.of([]);
    anonymous.begin('cc').end();
    assert.equal(anonymous.records, []);
    const said: unknown[] = [];
    const session = new Session('s', {
      clock: systemClock,
      send: (reply) => said.push(reply),
      maxRecords: 2,
    });
    for (let i = 0; i < 2_000; i++) {
      session.begin(`cc ${i}`).end();
      session.notice(`kind ${i}`, 'notice');
    }
    assert.equal(
      session.records.map(({ number }) => number),
      [1, 2],
    );
    assert.is(said.length, 1_000);
  });
});
