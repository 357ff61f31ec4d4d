import { lutimesSync, symlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { runCoreutils } from '../../master/coreutils.ts';
import type { Manifest } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { executorRig } from './executor-rig.ts';

const times = {
  past: -86_400_250_000_000n,
  first: -2_147_483_648_000_000_000n,
  late: 13_569_465_600_123_456_789n,
};

function timeIn({ changes }: Manifest, path: string): bigint | undefined {
  const node = changes.find((change) => change.path === path)?.node;
  return node && 'mtimeNs' in node ? node.mtimeNs : undefined;
}

suite('Times far from now', (test) => {
  test('of project files are what they are here, for all that reads them', async () => {
    await using rig = await executorRig();
    for (const [name, mtimeNs] of Object.entries(times)) {
      rig.dir.write(`project/${name}`, name);
      symlinkSync(name, `${rig.project}/${name}-link`);
      await runCoreutils([
        { kind: 'touch', path: `${rig.project}/${name}`, mtimeNs },
        { kind: 'touch', path: `${rig.project}/${name}-link`, mtimeNs },
      ]);
    }
    rig.dir.write('project/now', '');
    lutimesSync(`${rig.project}/now`, 1_700_000_000, 1_700_000_000);
    const { stdout } = await rig.sh(
      'stat -c %.Y past past-link first first-link late late-link; find . -newer now | sort; test past -ot now && echo older',
    );
    assert.equal(stdout.split('\n'), [
      ...['-86400.250000000', '-86400.250000000', '-2147483648.000000000', '-2147483648.000000000'],
      ...['13569465600.123456789', '13569465600.123456789'],
      ...['.', './hello.txt', './late', './late-link', 'older', ''],
    ]);
  });

  test('that a command sets come back, on disk as in memory', async () => {
    for (const memoryBytesPerJob of [1024 * 1024, 0]) {
      await using rig = await executorRig({ memoryBytesPerJob });
      const { manifest, stderr } = await rig.sh(
        `mkdir dir; echo > file; ln -s x link; touch -h -d @-86400.25 dir link; touch -d @13569465600.123456789 file
         echo > new; ln -s x fresh; touch -d @-2147483648 new; mkdir there; cp -a link there/copy`,
      );
      assert.is(stderr, '');
      assert.is(timeIn(manifest, 'dir'), times.past);
      assert.is(timeIn(manifest, 'link'), times.past);
      assert.is(timeIn(manifest, 'there/copy'), times.past);
      assert.is(timeIn(manifest, 'file'), times.late);
      assert.is(timeIn(manifest, 'new'), times.first);
      assert.is(timeIn(manifest, 'fresh'), undefined);
    }
  });
});
