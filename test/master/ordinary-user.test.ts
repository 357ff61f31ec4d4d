import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { decodeDirectory } from '../../cas/directory.ts';
import { patience } from '../harness/slowness.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { asOrdinary } from '../rigs/as-ordinary.ts';
import { assertUpToDate, begunCommits, manifestOf, nowNs, workspaceRig } from '../rigs/workspace.ts';

suite('Workspace of an ordinary user', (test) => {
  test('leaves out what it cannot read, says so once, and never replaces it', async () => {
    await using dir = await tempDir();
    using _user = asOrdinary(dir);
    dir.write('project/readable', '');
    dir.write('project/secret', 'secret', { mode: 0o000 });
    dir.write('project/sub/closed/file', '');
    chmodSync(dir.join('project/sub/closed'), 0o000);
    await using rig = await workspaceRig(dir.path);
    const names = async () => {
      const { root } = await rig.workspace.snapshot();
      const { files, directories } = decodeDirectory((await rig.workspace.origin.blobs.get(root))!);
      return [...files, ...directories].map(({ name }) => name);
    };
    assert.equal(await names(), ['readable', 'sub']);
    assert.equal(rig.notices.map((notice) => notice.split('"')[1]).sort(), ['secret', 'sub/closed']);
    const mine = { path: 'secret', base: null, node: rig.file('mine') };
    const conflict = await rig.commit({ ...manifestOf(rig.project, []), changes: [mine] });
    assert.equal(conflict, { ok: false, failure: { reason: 'conflict', path: 'secret' } });
    const removal = await rig.commit(manifestOf(rig.project, [{ path: 'sub', node: null }]));
    assert.equal(removal, { ok: false, failure: { reason: 'conflict', path: 'sub/closed' } });
    chmodSync(join(rig.project, 'secret'), 0o600);
    assert.equal(await names(), ['readable', 'secret', 'sub']);
    chmodSync(join(rig.project, 'sub/closed'), 0o755);
    await assertUpToDate(rig);
    dir.write('project/sub/closed/file', 'seen');
    await assertUpToDate(rig);
    assert.is(rig.notices.length, 2);
  });

  test('applies results to what is read-only', async () => {
    await using dir = await tempDir();
    using _user = asOrdinary(dir);
    dir.write('project/read-only/file', 'old', { mode: 0o444 });
    dir.write('project/touched', 'same', { mode: 0o444 });
    utimesSync(dir.join('project/touched'), 1, 1);
    dir.write('project/linked', 'old', { mode: 0o444 });
    linkSync(dir.join('project/linked'), dir.join('outside'));
    mkdirSync(dir.join('project/gone/sub'), { recursive: true });
    dir.write('project/gone/sub/file', '');
    for (const name of ['read-only', 'gone/sub', 'gone']) chmodSync(dir.join('project', name), 0o555);
    await using rig = await workspaceRig(dir.path);
    const result = await rig.commit(
      manifestOf(rig.project, [
        { path: 'gone', node: null },
        { path: 'linked', node: rig.file('new', { mode: 0o444 }) },
        { path: 'new', node: { type: 'directory', mode: 0o555, mtimeNs: nowNs() } },
        { path: 'new/file', node: rig.file('in new', { mode: 0o400 }) },
        { path: 'read-only/file', node: rig.file('new', { mode: 0o444 }) },
        { path: 'touched', node: rig.file('same', { mode: 0o444 }) },
      ]),
    );
    assert.equal(result, { ok: true, value: undefined });
    assert.ok(!existsSync(join(rig.project, 'gone')));
    assert.is(readFileSync(dir.join('outside'), 'utf8'), 'new');
    assert.is(dir.read('project/new/file'), 'in new');
    assert.is(dir.read('project/read-only/file'), 'new');
    const modes = ['linked', 'new', 'new/file', 'read-only', 'read-only/file', 'touched'].map(
      (name) => statSync(join(rig.project, name)).mode & 0o777,
    );
    assert.equal(modes, [0o444, 0o555, 0o400, 0o555, 0o444, 0o444]);
    assert.ok(Math.abs(statSync(join(rig.project, 'touched')).mtimeMs - Date.now()) < patience(5000));
    await assertUpToDate(rig);
    assert.equal(begunCommits(dir.join('state')), []);
  });
});
