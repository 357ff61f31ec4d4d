import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { killIfThere } from '../../harness/leftovers.ts';
import { skip, suite } from '../../harness/suite.ts';
import { TermiteRig } from '../../rigs/termite.ts';
import { sandboxObstacle } from '../../rigs/user.ts';

/** What distcc's list of tests to be written asks for: a compiler that never ends, and a client that is killed. */
suite("distcc's tests of clients that go away", (test) => {
  for (const [what, pattern, signal] of [
    ['make and its shells', /^make |^\S*\/sh -c sleep/, 'SIGKILL'],
    ['the shell alone', /^\S*\/sh -c sleep/, 'SIGKILL'],
    ['the shell alone, politely', /^\S*\/sh -c sleep/, 'SIGTERM'],
  ] as const) {
    test(`${what}, killed by ${signal}: the compiler dies, and leaves nothing`, async () => {
      const obstacle = sandboxObstacle();
      if (obstacle) skip(obstacle, 'fuse');
      await using rig = new TermiteRig();
      await using _master = await rig.daemon(['master'], /ready/);
      writeFileSync(join(rig.project, 'Makefile'), 'testtmp.o: ; sleep 1000 && touch testtmp.o\n');
      const build = rig.termite(['make']);
      await rig.findProcess(/^sleep 1000/);
      // Some of them end with others.
      for (const pid of rig.processes(pattern)) killIfThere(pid, signal);
      assert.is.not((await build).status, 0);
      await rig.waitForEnd(/^sleep 1000/);
      assert.not(existsSync(join(rig.project, 'testtmp.o')));
      // The master is well.
      writeFileSync(join(rig.project, 'Makefile'), 'testtmp.o: ; cp Makefile testtmp.o\n');
      assert.is((await rig.termite(['make'])).status, 0);
    });
  }
});
