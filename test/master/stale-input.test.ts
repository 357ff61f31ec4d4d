import * as assert from 'uvu/assert';
import type { FormerTree } from '../../master/path-state.ts';
import { findStaleInput, isUpdate } from '../../master/stale-input.ts';
import { ObservationFlag, type TreeNode } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { someDigest } from './fake-workspace.ts';

const { absent, found, read, linkRead, listed } = ObservationFlag;
const file = (hash: string, mtimeNs = 0n): TreeNode => ({
  type: 'file',
  digest: { hash, sizeBytes: 1 },
  mode: 0o644,
  mtimeNs,
});
const symlink = (target: string): TreeNode => ({ type: 'symlink', target });

/** Of one path that was looked at so. */
function isStale(flags: number, was: TreeNode | null, is: TreeNode | null): boolean {
  const former = () => ({ node: () => was }) as unknown as FormerTree;
  const stale = findStaleInput([{ path: 'x', flags }], someDigest, { former, node: () => is });
  return stale === 'x';
}

suite('findStaleInput()', (test) => {
  test('tells of a name that was free and is taken', () => {
    assert.ok(isStale(absent, null, file('a')));
    assert.not(isStale(absent, null, null));
  });

  test('tells of content that was read and is another', () => {
    assert.ok(isStale(found | read, file('a'), file('b')));
    assert.ok(isStale(found | read, file('a'), null));
    assert.not(isStale(found | read, file('a'), file('a', 1n)));
    assert.ok(isStale(found | linkRead, symlink('a'), symlink('b')));
    assert.not(isStale(found | linkRead, symlink('a'), symlink('a')));
  });

  test('does not mind what was only found, or other names in a folder', () => {
    assert.not(isStale(found, file('a'), file('b')));
    assert.not(isStale(found | listed, null, file('b')));
  });
});

suite('isUpdate()', (test) => {
  test('is to read a file and to change it', () => {
    const change = { path: 'x', base: file('a'), node: file('b') };
    const seen = (flags: number, path = 'x') => [{ path, flags }];
    assert.ok(isUpdate({ changes: [change], trace: seen(found | read) }));
    assert.not(isUpdate({ changes: [change], trace: seen(found) }));
    assert.not(isUpdate({ changes: [change], trace: seen(found | read, 'y') }));
    assert.not(isUpdate({ changes: [{ ...change, base: null }], trace: seen(found | read) }));
  });
});
