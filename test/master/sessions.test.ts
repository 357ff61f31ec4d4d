import * as assert from 'uvu/assert';
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
    // Somebody else who is refused meanwhile does not end the master either.
    await sessions.refused();
    assert.is(idleCount, 0);
    finishWriting();
    await closing;
    assert.equal([sessions.isIdle, idleCount], [true, 1]);
  });
});
