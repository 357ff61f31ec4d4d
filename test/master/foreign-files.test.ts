import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { findForeign } from '../../master/foreign-files.ts';
import type { Change } from '../../protocol/job.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const content = { hash: '0'.repeat(64), sizeBytes: 1 };
const file = { type: 'file', digest: content, mode: 0o644, mtimeNs: 0n } as const;

suite('findForeign()', (test) => {
  test('finds changed files of others, and what may show whose they are', async () => {
    if (process.getuid?.() !== 0) skip('only root can give files away');
    await using dir = await tempDir();
    for (const path of ['mine', 'theirs', 'shared/grouped']) dir.write(path, '');
    chownSync(dir.join('theirs'), 12, 0);
    const find = (changes: Partial<Change>[], seen: string[] = [], showsOwners = false) =>
      findForeign(
        {
          changes: changes as Change[],
          trace: seen.map((path) => ({ path, flags: 1 })),
        },
        { root: dir.path, caller: { uid: 0, gid: 0 }, showsOwners },
      );
    assert.is(find([{ path: 'theirs', base: file, node: file }]), 'theirs');
    assert.is(find([{ path: 'mine', base: file, node: file }]), undefined);
    // What is removed, or comes to be, is nobody else's afterwards.
    assert.is(find([{ path: 'theirs', base: file, node: null }]), undefined);
    assert.is(find([{ path: 'theirs', base: null, node: file }]), undefined);
    assert.is(find([], ['mine', 'theirs', 'none']), undefined);
    assert.is(find([], ['mine', 'none', 'theirs'], true), 'theirs');
  });

  test('knows that files in folders with a set-group-id bit are of the group of the folder', async () => {
    if (process.getuid?.() !== 0) skip('only root can give files away');
    await using dir = await tempDir();
    mkdirSync(dir.join('shared'));
    chownSync(dir.join('shared'), 0, 34);
    dir.write('shared/file', '');
    chownSync(dir.join('shared/file'), 0, 34);
    const changes = [{ path: 'shared/file', base: file, node: file }] as Change[];
    const find = () =>
      findForeign({ changes, trace: [] }, { root: dir.path, caller: { uid: 0, gid: 0 }, showsOwners: false });
    assert.is(find(), 'shared/file');
    chmodSync(dir.join('shared'), 0o2755);
    assert.is(find(), undefined);
  });
});
