import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { reachedLimit } from '../../master/reached-limit.ts';
import {
  type Change,
  type Manifest,
  type Observation,
  ObservationFlag,
  type TreeNode,
} from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { workspaceRig } from '../rigs/workspace.ts';

const { absent, found, listed } = ObservationFlag;
const nothing = { reached: [], trace: [], hiddenTrace: [], changes: [] };
const success: Manifest['status'] = { kind: 'exit', code: 0 };

function judge(
  manifest: Partial<Manifest>,
  isConcealed: (observation: Observation) => boolean = () => false,
  links = { hasOtherNames: (_path: string) => false, otherNames: (_path: string): string[] => [] },
) {
  const options = {
    mayFail: false,
    ownDir: '/state/termite',
    findForeign: () => undefined,
    ...links,
    isConcealed,
  };
  return reachedLimit({ ...nothing, status: success, ...manifest }, options);
}

suite('reachedLimit()', (test) => {
  test('is what was looked for in the own places of a sandbox and exists here', async () => {
    await using dir = await tempDir();
    const [there, empty, none] = [dir.join('there'), dir.join('empty'), dir.join('none')];
    writeFileSync(there, '');
    mkdirSync(empty);
    const look = (path: string, flags: number) => judge({ hiddenTrace: [{ path, flags }] });
    assert.equal(look(there, absent), { kind: 'hidden', path: there });
    assert.equal(look(dir.path, listed | found), { kind: 'hidden', path: dir.path });
    for (const gone of [none, there]) assert.equal(look(gone, found), { kind: 'hidden', path: gone });
    for (const quiet of [look(empty, found), look(none, absent), look(empty, listed), look(none, listed)])
      assert.is(quiet, undefined);
    assert.is(look(`${there}/below`, absent), undefined);
  });

  test('is no name by which programs show themselves to whoever watches them, but a list of these names', () => {
    const left = (path: string) => judge({ reached: [{ kind: 'left-outside', path }] });
    assert.is(left('/tmp/hsperfdata_me/'), undefined);
    assert.equal(left('/tmp/hsperfdata_me/cache/'), {
      kind: 'left-outside',
      path: '/tmp/hsperfdata_me/cache/',
    });
    assert.equal(left('/tmp/mine/'), { kind: 'left-outside', path: '/tmp/mine/' });
  });

  test('is what the project has and jobs do not see', async () => {
    const concealed = (observation: Observation) => observation.path === 'door';
    const trace = [
      { path: 'a.c', flags: found },
      { path: 'door', flags: absent },
    ];
    assert.equal(judge({ trace }, concealed), { kind: 'hidden', path: 'door' });
    assert.is(judge({ trace: trace.slice(0, 1) }, concealed), undefined);
  });

  test('is a file that was given a further name and written to', () => {
    const file = (hash: string): TreeNode => ({
      ...{ type: 'file', digest: { hash, sizeBytes: 1 }, mode: 0o644, mtimeNs: 1n },
    });
    const changes = (content: string): Change[] => [
      { path: 'a', base: file('old'), node: file(content), linkGroup: 1 },
      { path: 'b', base: null, node: file(content), linkGroup: 1 },
    ];
    assert.equal(judge({ changes: changes('new') }), { kind: 'linked', path: 'a' });
    assert.is(judge({ changes: changes('old') }), undefined);
  });

  test('is a name less of a file, if its other names were seen, or it has another one now', () => {
    const node: TreeNode = { type: 'file', digest: { hash: 'x', sizeBytes: 1 }, mode: 0o644, mtimeNs: 1n };
    const links = { hasOtherNames: (path: string) => path === 'a', otherNames: () => ['b'] };
    const removal: Change = { path: 'a', base: node, node: null };
    const trace = [{ path: 'b', flags: found }];
    assert.equal(judge({ changes: [removal], trace }, undefined, links), { kind: 'linked', path: 'a' });
    const moved = [removal, { path: 'z', base: null, node }];
    assert.equal(judge({ changes: moved }, undefined, links), { kind: 'linked', path: 'a' });
    assert.is(judge({ changes: [removal] }, undefined, links), undefined);
  });

  test('is a failure that is not believed, after all else', () => {
    const status: Manifest['status'] = { kind: 'exit', code: 1 };
    assert.equal(judge({ status }), { kind: 'failed' });
    assert.equal(judge({ status, reached: [{ kind: 'network' }] }), { kind: 'network' });
  });
});

suite('Inputs of a workspace', (test) => {
  test('isConcealed() knows sockets by name and by their folder, as long as they are there', async () => {
    await using dir = await tempDir();
    mkdirSync(dir.join('project/dir'), { recursive: true });
    await using rig = await workspaceRig(dir.path);
    const { inputs } = rig.workspace;
    const looks = [
      { path: 'dir/door', flags: absent },
      { path: 'dir', flags: found | listed },
      { path: 'dir', flags: found },
      { path: '', flags: listed },
    ];
    const concealed = () => looks.map((look) => inputs.isConcealed(look));
    assert.equal(concealed(), [false, false, false, false]);
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(`${rig.project}/dir/door`, resolve));
    await rig.workspace.refresh();
    assert.equal(concealed(), [true, true, false, false]);
    await new Promise<void>((resolve) => void server.close(() => resolve()));
    await rig.workspace.refresh();
    assert.equal(concealed(), [false, false, false, false]);
  });
});
