import { closeSync, openSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { jobserverDescriptors } from '../../wrapper/jobserver.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { mustRun } from '../rigs/command.ts';

suite('jobserverDescriptors()', (test) => {
  test('takes the last pair of open pipes before the variables', async () => {
    await using dir = await tempDir();
    await mustRun(['mkfifo', 'pipe'], { cwd: dir.path });
    const fds = [openSync(dir.join('pipe'), 'r+'), openSync(dir.join('pipe'), 'r+')];
    try {
      const pair = fds.join(',');
      const cases: [MAKEFLAGS: string | undefined, expected: number[]][] = [
        [undefined, []],
        ['', []],
        ['k', []],
        [` -j4 --jobserver-auth=${pair}`, fds],
        [`k -j4 --jobserver-fds=${pair} -- X=1`, fds],
        [` -j4 --jobserver-auth=8,9 --jobserver-auth=${pair}`, fds],
        [` -j4 --jobserver-auth=${pair} --jobserver-auth=-2,-2`, []],
        [' -j4 --jobserver-auth=fifo:/tmp/GMfifo1', []],
        [` -- X=--jobserver-auth=${pair}`, []],
        [' -j4 --jobserver-auth=0,1', []],
        [' -j4 --jobserver-auth=100000,100001', []],
      ];
      for (const [MAKEFLAGS, expected] of cases)
        assert.equal(jobserverDescriptors({ MAKEFLAGS }), expected, MAKEFLAGS ?? 'none');
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  });
});
