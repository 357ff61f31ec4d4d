import { setImmediate } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { PathLocks } from '../../master/path-locks.ts';
import type { Change, TreeNode } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';

const directory: TreeNode = { type: 'directory', mode: 0o755, mtimeNs: 0n };
const symlink: TreeNode = { type: 'symlink', target: 'x' };
const writes = (path: string): Change => ({ path, base: null, node: symlink });
const makes = (path: string): Change => ({ path, base: null, node: directory });
const keepsTime = (path: string): Change => ({
  path,
  base: directory,
  node: { type: 'directory', mode: 0o755 },
});
const removes = (path: string): Change => ({ path, base: directory, node: null });

suite('PathLocks', (test) => {
  const waits = async (first: Change[], second: Change[]): Promise<boolean> => {
    const locks = new PathLocks();
    const held = await locks.acquire(first);
    let isWaiting = true;
    const acquired = locks.acquire(second).then((lock) => {
      isWaiting = false;
      return lock;
    });
    await setImmediate();
    const result = isWaiting;
    held[Symbol.dispose]();
    (await acquired)[Symbol.dispose]();
    return result;
  };

  test('lets one wait for another that writes the same path, or removes what it is in', async () => {
    assert.ok(await waits([writes('a')], [writes('a')]));
    assert.ok(await waits([removes('a')], [writes('a/b/c')]));
    assert.ok(await waits([writes('a/b/c')], [removes('a')]));
    assert.ok(await waits([makes('a')], [writes('a')]));
    assert.ok(await waits([makes('a/b')], [removes('a')]));
  });

  test('lets one that keeps the time of a directory, or of the project, wait for all that write in it', async () => {
    for (const path of ['a', '']) {
      assert.ok(await waits([keepsTime(path)], [writes('a/b')]));
      assert.ok(await waits([writes('a/b')], [keepsTime(path)]));
    }
    assert.not(await waits([keepsTime('a')], [writes('b')]));
  });

  test('lets others pass', async () => {
    assert.not(await waits([writes('a')], [writes('b'), writes('ab')]));
    assert.not(await waits([makes('a'), writes('a/b')], [makes('a'), writes('a/c')]));
    assert.not(await waits([removes('a/b')], [writes('a/bc/d')]));
  });

  test('serves in the order of asking', async () => {
    const locks = new PathLocks();
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3].map(async (i) => {
        using _lock = await locks.acquire([writes('a'), writes(`b${i}`)]);
        await setImmediate();
        order.push(i);
      }),
    );
    assert.equal(order, [0, 1, 2, 3]);
  });
});
