import * as assert from 'uvu/assert';
import { IdleWatch } from '../../master/idle-watch.ts';
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
});
