import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { needPrograms, sandboxObstacle } from '../rigs/user.ts';

suite('ccache', (test) => {
  const uses: [how: string, args: string[], onPath: boolean][] = [
    ['as a word of CC', ['CC=ccache cc'], false],
    ['by a folder on the PATH', ['CC=gcc'], true],
  ];
  for (const [how, args, onPath] of uses) {
    test(`is kept out of sandboxes, ${how}, and results are kept`, async () => {
      const obstacle = sandboxObstacle();
      if (obstacle) skip(obstacle, 'fuse');
      needPrograms('ccache');
      await using rig = new TermiteRig();
      writeFileSync(join(rig.project, 'Makefile'), 'x.o: x.c ; $(CC) -c -o $@ x.c\n');
      writeFileSync(join(rig.project, 'x.c'), 'int x;\n');
      // Debian's.
      const folder = '/usr/lib/ccache';
      if (onPath && !existsSync(folder)) skip(`there is no ${folder}`);
      if (onPath) rig.env['PATH'] = `${folder}:${rig.env['PATH']}`;
      const first = await rig.report(['make', ...args]);
      assert.equal([first.report.remote, first.report.local], [1, 0], first.stderr);
      assert.match(first.stderr, /termite: ccache is switched off/);
      await rig.run(['rm', 'x.o']);
      const second = await rig.report(['make', ...args]);
      assert.equal([second.report.cached, second.report.remote], [1, 0], second.stderr);
    });
  }
});
