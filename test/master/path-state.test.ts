import { chmodSync, mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ObservationFlag } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { workspaceRig } from '../rigs/workspace.ts';

const { found, absent, read, linkRead, listed } = ObservationFlag;
const all = [
  ...['', 'file', 'dir', 'dir/inner', 'link', 'tool', 'nothing', 'dir/nothing', 'file/below', 'big'],
].flatMap((path) =>
  [found, absent, found | read, linkRead, found | listed].map((flags) => ({ path, flags })),
);

suite('The states of paths', (test) => {
  test('are the same from the snapshot and from the blobs of its tree', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    fill(rig.project);
    const { inputs } = rig.workspace;
    const { root } = await rig.workspace.snapshot();
    const view = {
      overwritten: new Map([
        ['nothing', 0o644],
        ['tool', 0o644],
        ['dir/inner', 0o644],
      ]),
    };
    const former = inputs.former(root);
    for (const observation of all) {
      assert.is(
        former.state(observation, view),
        inputs.state(observation, view),
        JSON.stringify(observation),
      );
    }
    for (const { path } of all) assert.equal(former.node(path), inputs.node(path), path);
    assert.not(former.isIncomplete);
    assert.is(inputs.state({ path: 'nothing', flags: absent }, view), 'overwritten');
    assert.is(inputs.state({ path: 'dir/inner', flags: found }, view), 'overwritten');
    assert.match(inputs.state({ path: 'dir/inner', flags: found | read }, view)!, /^f 420 [0-9a-f]{64}$/);
    assert.match(inputs.state({ path: 'tool', flags: found }, view)!, /^f 493 /, 'has another mode');
  });

  test('change with what was observed, and with nothing else', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    fill(rig.project);
    const states = async () => {
      await rig.workspace.snapshot();
      return new Map(
        all.map((seen) => [
          `${seen.path} ${seen.flags}`,
          rig.workspace.inputs.state(seen, { overwritten: new Map() }),
        ]),
      );
    };
    const changedBy = async (change: () => void) => {
      const before = await states();
      change();
      const after = await states();
      return [...after.keys()].filter((key) => after.get(key) !== before.get(key)).sort();
    };
    const at = (path: string) => join(rig.project, path);
    const everyWay = (path: string) =>
      [found, absent, found | read, linkRead, found | listed].map((flags) => `${path} ${flags}`);
    assert.equal(await changedBy(() => utimesSync(at('file'), 1, 1)), []);
    assert.equal(await changedBy(() => writeFileSync(at('file'), 'other')), everyWay('file').sort());
    assert.equal(await changedBy(() => chmodSync(at('dir'), 0o700)), everyWay('dir').sort());
    assert.equal(await changedBy(() => writeFileSync(at('dir/new'), '')), [`dir ${found | listed}`]);
    assert.equal(await changedBy(() => renameSync(at('dir/new'), at('dir/nothing'))), [
      ...[`dir ${found | listed}`, ...everyWay('dir/nothing')].sort(),
    ]);
  });

  test('of a tree whose blobs are gone are not to be trusted', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const former = rig.workspace.inputs.former({ hash: 'ab'.repeat(32), sizeBytes: 3 });
    former.state({ path: 'x', flags: found }, { overwritten: new Map() });
    assert.ok(former.isIncomplete);
  });
});

function fill(project: string): void {
  mkdirSync(join(project, 'dir'));
  writeFileSync(join(project, 'file'), 'some1');
  writeFileSync(join(project, 'dir/inner'), 'inner');
  writeFileSync(join(project, 'tool'), '#!');
  chmodSync(join(project, 'tool'), 0o755);
  writeFileSync(join(project, 'big'), Buffer.alloc(300_000));
  symlinkSync('file', join(project, 'link'));
}
