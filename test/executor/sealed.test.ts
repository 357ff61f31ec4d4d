import { chownSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runProgram } from '../../runtime/child-process.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { asUser, availableUsers, ordinaryId, sandboxObstacle } from '../rigs/user.ts';

suite('A sandbox is sealed', (test) => {
  for (const user of availableUsers()) {
    const attempt = (name: string) =>
      test(`${name} (${user})`, async () => {
        const obstacle = sandboxObstacle();
        if (obstacle) skip(obstacle, 'fuse');
        await using dir = await tempDir();
        if (user === 'ordinary' && process.getuid?.() === 0) chownSync(dir.path, ordinaryId, ordinaryId);
        const child = join(import.meta.dirname, 'sealed.child.js');
        const [program = '', ...args] = asUser(user, [process.execPath, child, dir.path, name]);
        const { stdout, stderr } = await runProgram(program, args);
        assert.is(stdout.toString(), 'sealed\n', stderr.toString());
      });
    attempt('no job reaches another');
    attempt('a descriptor of a layer leads nowhere');
    attempt('attributes of a command are not marks of overlayfs');
  }
});
