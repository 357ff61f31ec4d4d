import { mkdirSync, realpathSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { writeBuildLog } from '../../master/write-build-log.ts';
import type { CommandRecord } from '../../protocol/build-log.ts';
import { projectStateDir } from '../../runtime/cache-dir.ts';
import { suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';

suite('termite log', (test) => {
  test('prints all of a long log, however slowly it is read', async () => {
    await using rig = new TermiteRig();
    const record = (number: number): CommandRecord => ({
      ...{ number, line: 'cc '.repeat(30), cwd: '/', where: 'cache' },
      ...{ wallMs: 1, outputs: [], differences: [] },
    });
    const stateDir = projectStateDir(rig.env, realpathSync(rig.project));
    mkdirSync(stateDir, { recursive: true });
    writeBuildLog(
      stateDir,
      Array.from({ length: 2000 }, (_, index) => record(index + 1)),
      0,
    );
    const slowly = ['sh', '-c', '"$@" | { sleep 1; wc -l; }', 'sh'];
    const { stdout, stderr } = await rig.termite(['log', '--json'], { through: slowly });
    assert.equal([stdout.trim(), stderr], ['2000', '']);
  });

  test('ends quietly when nobody reads on', async () => {
    await using rig = new TermiteRig();
    const first = ['bash', '-o', 'pipefail', '-c', '"$@" | head -c 1', 'bash'];
    const { status, stdout, stderr } = await rig.termite(['--help'], { through: first });
    assert.equal([stdout, stderr], ['t', '']);
    assert.ok(status === 0 || status === 141, `${status}`);
  });
});
