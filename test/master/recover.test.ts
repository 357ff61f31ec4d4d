import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { Journal } from '../../master/journal.ts';
import type { TreeNode } from '../../protocol/job.ts';
import { encodeJson } from '../../runtime/json.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { assertUpToDate, manifestOf, nowNs, workspaceRig } from '../rigs/workspace.ts';

const childScript = join(import.meta.dirname, '../rigs/committing-child.js');
const past = 1_600_000_000_123_456_789n;

suite('openWorkspace() after a master was killed while committing', (test) => {
  test(
    'finishes what was begun, wherever it stopped',
    async () => {
      await using dir = await tempDir();
      const template = dir.join('template');
      await prepare(template);
      const whole = copyOf(dir, 'whole');
      const steps = commitUntil(whole, 0).length;
      assert.ok(steps > 20, `${steps} steps`);
      const expected = readTree(join(whole, 'project'));
      for (let step = 1; step <= steps; step++) {
        const run = copyOf(dir, `run-${step}`);
        const done = commitUntil(run, step);
        const place = `killed after step ${step}, "${done.at(-1)}"`;
        const killedNs = nowNs() + 1_000_000n;
        {
          await using rig = await workspaceRig(run);
          assert.equal(rig.notices, [], place);
          await assertUpToDate(rig, place);
        }
        const project = join(run, 'project');
        assert.equal(differences(expected, readTree(project)), [], place);
        assert.equal(readdirSync(join(run, 'state/journal')), [], place);
        assert.is(readFileSync(join(run, 'outside'), 'utf8').slice(0, 4), 'new!', place);
        // Whatever is edited from now on is newer than all of it.
        for (const name of ['changed', 'made', 'touched', 'dir/in', 'linked-1', 'in-place']) {
          const { mtimeNs } = lstatSync(join(project, name), { bigint: true });
          assert.ok(mtimeNs <= killedNs && mtimeNs > past * 1n, `${place}: time of ${name}`);
        }
        rmSync(run, { recursive: true });
      }
    },
    { deadlineMs: 240_000 },
  );

  test('reads entries with times before 1970', async () => {
    await using dir = await tempDir();
    const node: TreeNode = { type: 'file', digest: digestOf(Buffer.from('old')), mode: 0o644, mtimeNs: -1n };
    const entry = {
      ...{ version: 1 as const, id: 'old', startedNs: -2n, finishedNs: -1n },
      changes: [{ path: 'file', base: { ...node, mtimeNs: -86_400_750_000_001n }, node }],
      removals: [{ path: 'gone', isDirectory: false, mtimeNs: -1n }],
      ...{ inPlace: [], opened: [] },
    };
    // Its end is never told.
    new Journal(dir.join('journal')).prepare(entry).begin();
    const [unfinished] = new Journal(dir.join('journal')).unfinished();
    assert.equal(unfinished?.entry, entry);
  });

  test('leaves what was changed since, and finishes the rest', async () => {
    await using dir = await tempDir();
    await prepare(dir.join('template'));
    const run = copyOf(dir, 'run');
    commitUntil(run, 1);
    const project = join(run, 'project');
    writeFileSync(join(project, 'changed'), 'edited');
    writeFileSync(join(project, 'gone-dir/sub/mine'), 'mine');
    writeFileSync(join(project, 'dir'), 'not a directory');
    await using rig = await workspaceRig(run);
    assert.is(readFileSync(join(project, 'changed'), 'utf8'), 'edited');
    assert.is(readFileSync(join(project, 'gone-dir/sub/mine'), 'utf8'), 'mine');
    assert.is(readFileSync(join(project, 'gone-dir/sub/file'), 'utf8'), '');
    assert.is(readFileSync(join(project, 'dir'), 'utf8'), 'not a directory');
    assert.is(readFileSync(join(project, 'made'), 'utf8'), 'made');
    for (const path of ['changed', 'gone-dir', 'dir']) {
      assert.ok(
        rig.notices.some((notice) => notice.startsWith(`"${path}" was `)),
        `${path}: ${rig.notices}`,
      );
    }
    assert.equal(readdirSync(join(run, 'state/journal')), []);
  });

  test('withdraws what was made anew when content is lost', async () => {
    await using dir = await tempDir();
    await prepare(dir.join('template'));
    const steps = commitUntil(copyOf(dir, 'whole'), 0);
    const run = copyOf(dir, 'run');
    commitUntil(run, steps.indexOf('place becomes-dir/in') + 1);
    const store = await FileBlobStore.open(join(run, 'cas'));
    rmSync(store.pathOf(digestOf(Buffer.from('inner'))));
    await using rig = await workspaceRig(run);
    assert.equal(rig.notices, ['"dir/in" could not be finished: its content is lost']);
    assert.equal(readdirSync(join(rig.project, 'becomes-dir')), [], 'make makes it again');
    assert.is(readFileSync(join(rig.project, 'changed'), 'utf8'), 'changed');
    await assertUpToDate(rig);
  });

  test('ignores an entry that was not completely written', async () => {
    await using dir = await tempDir();
    mkdirSync(dir.join('state/journal'), { recursive: true });
    dir.write('state/journal/a.json', '{"version":1,');
    dir.write('state/journal/b.prepared', '{}');
    await using rig = await workspaceRig(dir.path);
    assert.equal(rig.notices, []);
    assert.equal(readdirSync(dir.join('state/journal')), []);
  });
});

/** A project, a manifest with every kind of change to it, and a store with the content. */
async function prepare(dir: string): Promise<void> {
  const project = join(dir, 'project');
  mkdirSync(join(project, 'gone-dir/sub'), { recursive: true });
  mkdirSync(join(project, 'becomes-file'));
  for (const name of ['changed', 'removed', 'becomes-dir', 'gone-dir/sub/file', 'becomes-file/in', 'chmod']) {
    writeFileSync(join(project, name), '');
  }
  writeFileSync(join(project, 'touched'), 'touched');
  utimesSync(join(project, 'touched'), 1_500_000_000, 1_500_000_000);
  writeFileSync(join(project, 'in-place'), 'old');
  linkSync(join(project, 'in-place'), join(dir, 'outside'));
  symlinkSync('old', join(project, 'symlink'));
  mkdirSync(join(project, 'read-only'));
  chmodSync(join(project, 'read-only'), 0o555);
  const store = await FileBlobStore.open(join(dir, 'cas'));
  const file = async (content: string, { mode = 0o644, mtimeNs = nowNs() } = {}): Promise<TreeNode> => {
    const bytes = Buffer.from(content);
    await store.put(digestOf(bytes), bytes);
    return { type: 'file', digest: digestOf(bytes), mode, mtimeNs };
  };
  const directory = (mode: number): TreeNode => ({ type: 'directory', mode, mtimeNs: nowNs() });
  const linked = await file('linked');
  const { mtimeNs } = statSync(join(project, 'chmod'), { bigint: true });
  const manifest = manifestOf(project, [
    { path: 'becomes-dir', node: directory(0o755) },
    { path: 'becomes-dir/in', node: await file('in') },
    { path: 'becomes-file', node: await file('was a directory') },
    { path: 'changed', node: await file('changed', { mode: 0o755 }) },
    { path: 'chmod', node: await file('', { mode: 0o700, mtimeNs }) },
    { path: 'dir', node: directory(0o555) },
    { path: 'dir/in', node: await file('inner') },
    { path: 'fifo', node: { type: 'fifo', mode: 0o600 } },
    { path: 'gone-dir', node: null },
    { path: 'in-place', node: await file(`new!${'x'.repeat(3_000_000)}`) },
    { path: 'linked-1', node: linked, linkGroup: 1 },
    { path: 'linked-2', node: linked, linkGroup: 1 },
    { path: 'made', node: await file('made') },
    { path: 'past', node: await file('past', { mtimeNs: past }) },
    { path: 'read-only/in', node: await file('in read-only') },
    { path: 'removed', node: null },
    { path: 'symlink', node: { type: 'symlink', target: 'new' } },
    { path: 'touched', node: await file('touched') },
  ]);
  writeFileSync(join(dir, 'manifest.json'), encodeJson(manifest));
}

function copyOf(dir: TempDir, name: string): string {
  execFileSync('cp', ['-a', dir.join('template'), dir.join(name)]);
  return dir.join(name);
}

/** Commits in a child that kills itself after a step, 0 being never; returns the steps taken. */
function commitUntil(dir: string, step: number): string[] {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [childScript, dir, `${step}`], {
    encoding: 'utf8',
  });
  if (step === 0) assert.is(status, 0, stderr);
  else assert.is(signal, 'SIGKILL', stderr);
  return stdout.trimEnd().split('\n');
}
