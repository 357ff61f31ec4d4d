import * as assert from 'uvu/assert';
import { changedMounts, parseMountTable } from '../../master/mount-table.ts';
import { suite } from '../harness/suite.ts';

const table = (...lines: string[]) => parseMountTable(Buffer.from(`${lines.join('\n')}\n`));
const root = '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw';

suite('mount table', (test) => {
  test('names places as they are, whatever is in their names', () => {
    const mounts = table(root, '30 22 0:40 / /mnt/with\\040space\\134and\\012 rw - tmpfs tmpfs rw');
    assert.equal([...mounts.keys()], ['/', '/mnt/with space\\and\n']);
  });

  test('tells where something was mounted, unmounted, or mounted instead', () => {
    const before = table(root, '30 22 0:40 / /a rw - tmpfs x rw', '31 22 0:41 / /b rw - tmpfs y rw');
    assert.equal(changedMounts(before, before), []);
    const covered = '40 30 0:50 / /a rw - tmpfs z rw';
    const after = table(root, '30 22 0:40 / /a rw - tmpfs x rw', covered, '32 22 0:42 / /c rw - tmpfs w rw');
    assert.equal(changedMounts(before, after).sort(), ['/a', '/b', '/c']);
  });
});
