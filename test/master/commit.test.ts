import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { decodeDirectory } from '../../cas/directory.ts';
import { runCoreutils } from '../../master/coreutils.ts';
import type { Manifest, TreeNode } from '../../protocol/job.ts';
import { AppError } from '../../runtime/app-error.ts';
import { decodeBytes, fsPath } from '../../runtime/byte-path.ts';
import { randomOf } from '../harness/random.ts';
import { patience } from '../harness/slowness.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { differences, readTree } from '../rigs/tree.ts';
import {
  assertUpToDate,
  begunCommits,
  manifestOf,
  nowNs,
  type PlannedChange,
  type WorkspaceRig,
  workspaceRig,
} from '../rigs/workspace.ts';

const directory = (mode = 0o755, mtimeNs = nowNs()): TreeNode => ({ type: 'directory', mode, mtimeNs });
const symlink = (target: string): TreeNode => ({ type: 'symlink', target });

suite('Workspace.commit()', (test) => {
  test('writes new files, changes others and deletes others', async () => {
    await using dir = await tempDir();
    dir.write('project/changed', 'old');
    dir.write('project/deleted', 'old');
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [
      { path: 'changed', node: rig.file('new', { mode: 0o600 }) },
      { path: 'deleted', node: null },
      { path: 'made', node: rig.file('made', { mode: 0o4755 }) },
      { path: 'empty', node: rig.file('') },
    ]);
    assert.equal(readdirSync(rig.project).sort(), ['changed', 'empty', 'made']);
    assert.is(dir.read('project/changed'), 'new');
    assert.is(modeOf(rig, 'changed'), 0o600);
    assert.is(dir.read('project/made'), 'made');
    assert.is(modeOf(rig, 'made'), 0o4755);
    await assertUpToDate(rig);
  });

  test('takes a large file as a stream', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const content = Buffer.alloc(5_000_000, 'large ');
    await succeeds(rig, [{ path: 'large', node: rig.file(content, { mode: 0o755 }) }]);
    assert.ok(readFileSync(join(rig.project, 'large')).equals(content));
    assert.is(modeOf(rig, 'large'), 0o755);
  });

  test('makes directories with their modes, whatever is in them', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [
      { path: 'a', node: directory(0o555) },
      { path: 'a/b', node: directory(0o1777) },
      { path: 'a/b/file', node: rig.file('x', { mode: 0o444 }) },
      { path: 'a/c', node: directory(0o700) },
    ]);
    assert.is(modeOf(rig, 'a'), 0o555);
    assert.is(modeOf(rig, 'a/b'), 0o1777);
    assert.is(modeOf(rig, 'a/c'), 0o700);
    assert.is(dir.read('project/a/b/file'), 'x');
    await assertUpToDate(rig);
  });

  test('writes into a directory that is read-only, and leaves it so', async () => {
    await using dir = await tempDir();
    dir.write('project/a/old', 'old');
    chmodSync(dir.join('project/a'), 0o555);
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [
      { path: 'a/new', node: rig.file('new') },
      { path: 'a/old', node: null },
    ]);
    assert.equal(readdirSync(dir.join('project/a')), ['new']);
    assert.is(modeOf(rig, 'a'), 0o555);
    await assertUpToDate(rig);
  });

  test('makes, replaces and removes symlinks', async () => {
    await using dir = await tempDir();
    mkdirSync(dir.join('project'));
    symlinkSync('old', dir.join('project/replaced'));
    symlinkSync('/nowhere', dir.join('project/removed'));
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [
      { path: 'made', node: symlink('../some where/\udcff') },
      { path: 'removed', node: null },
      { path: 'replaced', node: symlink('new') },
    ]);
    assert.equal(readdirSync(rig.project).sort(), ['made', 'replaced']);
    assert.is(readlinkSync(join(rig.project, 'replaced')), 'new');
    const target = readlinkSync(join(rig.project, 'made'), { encoding: 'buffer' });
    assert.is(decodeBytes(target), '../some where/\udcff');
    await assertUpToDate(rig);
  });

  test('replaces anything by anything', async () => {
    const kinds = (rig: WorkspaceRig): TreeNode[] => [
      rig.file('content'),
      directory(),
      symlink('target'),
      { type: 'fifo', mode: 0o640 },
    ];
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const pairs = kinds(rig).flatMap((from, i) =>
      kinds(rig).map((to, j) => ({ path: `${i}-${j}`, from, to })),
    );
    await succeeds(
      rig,
      pairs.flatMap(({ path, from }) => [
        { path, node: from },
        ...(from.type === 'directory' ? [{ path: `${path}/in`, node: rig.file('inner') }] : []),
      ]),
    );
    await succeeds(
      rig,
      pairs.filter(({ from, to }) => from.type !== to.type).map(({ path, to }) => ({ path, node: to })),
    );
    for (const { path, to } of pairs) {
      const stats = lstatSync(join(rig.project, path));
      if (to.type === 'file') assert.ok(stats.isFile(), path);
      else if (to.type === 'directory') assert.ok(stats.isDirectory(), path);
      else if (to.type === 'symlink') assert.ok(stats.isSymbolicLink(), path);
      else assert.ok(stats.isFIFO() && (stats.mode & 0o777) === 0o640, path);
    }
    await assertUpToDate(rig);
  });

  test('deletes a directory with everything in it', async () => {
    await using dir = await tempDir();
    dir.write('project/kept', '');
    dir.write('project/gone/a/b/file', '');
    dir.write('project/gone/.termite-tmp-left-over', '');
    symlinkSync('/etc', dir.join('project/gone/a/link'));
    chmodSync(dir.join('project/gone/a'), 0o500);
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [{ path: 'gone', node: null }]);
    assert.equal(readdirSync(rig.project), ['kept']);
    assert.ok(existsSync('/etc/passwd'));
    await assertUpToDate(rig);
  });

  test('moves a directory: everything under a new name with its old times', async () => {
    await using dir = await tempDir();
    dir.write('project/old/file', 'content');
    utimesSync(dir.join('project/old/file'), 1_600_000_000, 1_600_000_000);
    utimesSync(dir.join('project/old'), 1_500_000_000, 1_500_000_000);
    await using rig = await workspaceRig(dir.path);
    const mtimeNs = 1_600_000_000_000_000_000n;
    const file = rig.file('content', { mtimeNs });
    // Whoever moves a directory need not have read what is in it: its content is only to be had here.
    const node: TreeNode = file.type === 'file' ? { ...file } : file;
    await succeeds(
      rig,
      [
        { path: 'new', node: directory(0o755, 1_500_000_000_000_000_000n) },
        { path: 'new/file', node },
        { path: 'old', node: null },
      ],
      { content: 'none' },
    );
    assert.equal(readdirSync(rig.project), ['new']);
    assert.is(mtimeOf(rig, 'new/file'), mtimeNs);
    assert.is(mtimeOf(rig, 'new'), 1_500_000_000_000_000_000n);
    await assertUpToDate(rig);
  });

  test('keeps times exactly that were set on purpose', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const mtimeNs = 1_600_000_000_123_456_789n;
    await succeeds(rig, [
      { path: "it's", node: rig.file('a', { mtimeNs }) },
      { path: 'dir', node: directory(0o755, mtimeNs + 1n) },
      { path: 'dir/file', node: rig.file('b') },
    ]);
    assert.is(mtimeOf(rig, "it's"), mtimeNs);
    assert.is(mtimeOf(rig, 'dir'), mtimeNs + 1n);
    await assertUpToDate(rig);
  });

  test('keeps times exactly that were set to before 1970 or to the future', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    symlinkSync('target', join(rig.project, 'touched'));
    await rig.workspace.snapshot();
    const times = {
      'before 1970': -86_400_750_000_001n,
      'just before': -1n,
      'with whole seconds': -2_000_000_000n,
      tomorrow: nowNs() + 86_400_000_000_000n,
      'in 2400': 13_569_465_600_123_456_789n,
    };
    const changes = Object.entries(times).flatMap(([path, mtimeNs]): PlannedChange[] => [
      { path, node: rig.file(path, { mtimeNs }) },
      { path: `${path} directory`, node: directory(0o755, mtimeNs) },
      { path: `${path} link`, node: { type: 'symlink', target: 'x', mtimeNs } },
    ]);
    const link: PlannedChange = {
      path: 'touched',
      node: { type: 'symlink', target: 'target', mtimeNs: -7n },
    };
    await succeeds(rig, [...changes, link]);
    for (const [path, mtimeNs] of Object.entries(times)) {
      for (const each of [path, `${path} directory`, `${path} link`])
        assert.is(mtimeOf(rig, each), mtimeNs, each);
    }
    assert.is(mtimeOf(rig, 'touched'), -7n);
    await assertUpToDate(rig);
  });

  test('never stamps ahead of the clock, in the order of writing', async () => {
    await using dir = await tempDir();
    dir.write('project/touched', 'same');
    utimesSync(dir.join('project/touched'), 1_600_000_000, 1_600_000_000);
    await using rig = await workspaceRig(dir.path);
    // The executor's clock is an hour ahead.
    const start = nowNs() + 3_600_000_000_000n;
    const names = ['c', 'touched', 'a', 'b'];
    await succeeds(
      rig,
      names.map((path, i) => ({
        path,
        node: rig.file(path === 'touched' ? 'same' : path, { mtimeNs: start + BigInt(i) }),
      })),
      { startedNs: start },
    );
    const times = names.map((name) => mtimeOf(rig, name));
    for (const [i, time] of times.entries()) {
      assert.ok(time <= BigInt(Date.now() + 1) * 1_000_000n, 'not in the future');
      if (i > 0) assert.ok(time >= times[i - 1]!, `${names[i]} is not older than ${names[i - 1]}`);
    }
    await assertUpToDate(rig);
  });

  test('leaves a tree of which make says that it is up to date', async () => {
    await using dir = await tempDir();
    dir.write('project/source', 'x');
    const chain = Array.from({ length: 20 }, (_, i) => `out${(i * 7) % 20}`);
    const rules = chain.map((name, i) => `${name}: ${i === 0 ? 'source' : chain[i - 1]}\n\ttouch $@\n`);
    dir.write('project/Makefile', `all: ${chain.at(-1)}\n${rules.join('')}`);
    await using rig = await workspaceRig(dir.path);
    const start = nowNs() - 5_000_000_000n;
    await succeeds(
      rig,
      chain.map((path, i) => ({ path, node: rig.file(path, { mtimeNs: start + BigInt(i) * 1_000_000n }) })),
      { startedNs: start },
    );
    execFileSync('make', ['-q', 'all'], { cwd: rig.project });
    // The same outputs made once more, with the same content: only their times are new.
    writeFileSync(join(rig.project, 'source'), 'y');
    assert.throws(() => execFileSync('make', ['-q', 'all'], { cwd: rig.project, stdio: 'ignore' }));
    await rig.workspace.snapshot();
    await succeeds(
      rig,
      chain.map((path, i) => ({ path, node: rig.file(path, { mtimeNs: start + BigInt(i) * 1_000_001n }) })),
      { startedNs: start },
    );
    execFileSync('make', ['-q', 'all'], { cwd: rig.project });
  });

  test('touches a file without writing it', async () => {
    await using dir = await tempDir();
    dir.write('project/file', 'content', { mode: 0o4555 });
    utimesSync(dir.join('project/file'), 1_600_000_000, 1_600_000_000);
    const before = statSync(dir.join('project/file'));
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [{ path: 'file', node: rig.file('content', { mode: 0o4555 }) }]);
    const after = statSync(dir.join('project/file'));
    assert.is(after.ino, before.ino);
    assert.is(after.mode & 0o7777, 0o4555);
    assert.ok(Math.abs(after.mtimeMs - Date.now()) < patience(5000));
    await assertUpToDate(rig);
  });

  test('touches a directory, and one in which nothing else changed', async () => {
    await using dir = await tempDir();
    dir.write('project/dir/file', '');
    utimesSync(dir.join('project/dir'), 1_600_000_000, 1_600_000_000);
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [{ path: 'dir', node: directory() }]);
    assert.ok(Math.abs(statSync(dir.join('project/dir')).mtimeMs - Date.now()) < patience(5000));
    assert.equal(readdirSync(dir.join('project/dir')), ['file']);
    await assertUpToDate(rig);
  });

  test('touches the project itself', async () => {
    await using dir = await tempDir();
    dir.write('project/file', '');
    utimesSync(dir.join('project'), 1_600_000_000, 1_600_000_000);
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [{ path: '', node: directory() }]);
    assert.ok(Math.abs(statSync(dir.join('project')).mtimeMs - Date.now()) < patience(5000));
    assert.equal(readdirSync(dir.join('project')), ['file']);
    await assertUpToDate(rig);
  });

  test('keeps the time of a directory, and of the project, while changing what is in it', async () => {
    await using dir = await tempDir();
    dir.write('project/dir/file', 'old');
    dir.write('project/file', 'old');
    const mtimeNs = 1_600_000_000_123_456_789n;
    const paths = [dir.join('project/dir'), dir.join('project')];
    await runCoreutils(paths.map((path) => ({ kind: 'touch', path, mtimeNs })));
    await using rig = await workspaceRig(dir.path);
    const kept: TreeNode = { type: 'directory', mode: 0o755 };
    await succeeds(rig, [
      { path: '', node: kept },
      { path: 'dir', node: kept },
      { path: 'dir/file', node: rig.file('new') },
      { path: 'file', node: rig.file('new') },
    ]);
    assert.is(dir.read('project/dir/file'), 'new');
    for (const path of paths) assert.is(statSync(path, { bigint: true }).mtimeNs, mtimeNs, path);
    await assertUpToDate(rig);
  });

  test('changes a mode and keeps file and time', async () => {
    await using dir = await tempDir();
    dir.write('project/script', '#!/bin/sh\n');
    dir.write('project/dir/x', '');
    utimesSync(dir.join('project/script'), 1_600_000_000, 1_600_000_000);
    const before = statSync(dir.join('project/script'));
    await using rig = await workspaceRig(dir.path);
    const mtimeNs = 1_600_000_000_000_000_000n;
    await succeeds(rig, [
      { path: 'dir', node: directory(0o711, mtimeOf(rig, 'dir')) },
      { path: 'script', node: rig.file('#!/bin/sh\n', { mode: 0o755, mtimeNs }) },
    ]);
    assert.is(statSync(dir.join('project/script')).ino, before.ino);
    assert.is(mtimeOf(rig, 'script'), mtimeNs);
    assert.is(modeOf(rig, 'script'), 0o755);
    assert.is(modeOf(rig, 'dir'), 0o711);
    await assertUpToDate(rig);
  });

  test('makes hard links, also to a file that is there already', async () => {
    await using dir = await tempDir();
    dir.write('project/present', 'present');
    dir.write('project/separate', 'present');
    await using rig = await workspaceRig(dir.path);
    const { mtimeNs } = statSync(dir.join('project/present'), { bigint: true });
    const present = rig.file('present', { mtimeNs });
    const made = rig.file('made');
    await succeeds(rig, [
      { path: 'a', node: made, linkGroup: 1 },
      { path: 'b', node: made, linkGroup: 1 },
      { path: 'link', node: present, linkGroup: 2 },
      { path: 'present', node: present, linkGroup: 2 },
      { path: 'separate', node: present, linkGroup: 2 },
    ]);
    const inode = (name: string) => statSync(join(rig.project, name)).ino;
    assert.is(inode('a'), inode('b'));
    assert.is(inode('present'), inode('link'));
    assert.is(inode('present'), inode('separate'));
    assert.is(statSync(join(rig.project, 'present')).nlink, 3);
    assert.is(mtimeOf(rig, 'link'), mtimeNs);
    assert.equal(temporaries(rig), []);
    await assertUpToDate(rig);
  });

  test('writes into a file that has other names, for them to see', async () => {
    await using dir = await tempDir();
    dir.write('project/name', 'old and long');
    mkdirSync(dir.join('project/sub'));
    linkSync(dir.join('project/name'), dir.join('project/sub/other'));
    linkSync(dir.join('project/name'), dir.join('outside'));
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [{ path: 'name', node: rig.file('new', { mode: 0o600 }) }]);
    assert.is(dir.read('project/sub/other'), 'new');
    assert.is(dir.read('outside'), 'new');
    assert.is(statSync(dir.join('outside')).nlink, 3);
    assert.is(modeOf(rig, 'sub/other'), 0o600);
    await assertUpToDate(rig);
  });

  test('takes any bytes as names', async () => {
    const name = (kind: string) => `${kind} \udcff\n'"$HOME\``;
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const mtimeNs = 1_600_000_000_123_456_789n;
    const inDirectory = `${name('dir')}/${name('file')}`;
    await succeeds(rig, [
      { path: name('dir'), node: directory() },
      { path: inDirectory, node: rig.file('x', { mtimeNs }) },
      { path: name('fifo'), node: { type: 'fifo', mode: 0o600 } },
      { path: name('link'), node: symlink(name('target')) },
    ]);
    assert.is(lstatSync(fsPath(join(rig.project, inDirectory)), { bigint: true }).mtimeNs, mtimeNs);
    assert.ok(lstatSync(fsPath(join(rig.project, name('fifo')))).isFIFO());
    await assertUpToDate(rig);
    await succeeds(rig, [
      { path: name('dir'), node: null },
      { path: name('link'), node: null },
    ]);
    assert.is(readdirSync(rig.project).length, 1);
  });

  test('finds a conflict where somebody changed what the command was based on', async () => {
    const changed: Record<string, (project: string) => void> = {
      'content of a file': (project) => writeFileSync(join(project, 'file'), 'theirs'),
      'mode of a file': (project) => chmodSync(join(project, 'file'), 0o600),
      kind: (project) => execFileSync('sh', ['-c', 'rm file; mkdir file'], { cwd: project }),
      removal: (project) => execFileSync('rm', ['file'], { cwd: project }),
      'target of a symlink': (project) => execFileSync('ln', ['-sfn', 'theirs', 'link'], { cwd: project }),
      'something where nothing was': (project) => writeFileSync(join(project, 'new'), 'theirs'),
      'the parent directory': (project) =>
        execFileSync('sh', ['-c', 'rm -r dir; echo > dir'], { cwd: project }),
    };
    for (const [what, change] of Object.entries(changed)) {
      await using dir = await tempDir();
      dir.write('project/file', 'base');
      dir.write('project/dir/x', 'base');
      symlinkSync('base', dir.join('project/link'));
      await using rig = await workspaceRig(dir.path);
      const manifest = manifestOf(rig.project, [
        { path: 'dir/in', node: rig.file('in') },
        { path: 'file', node: rig.file('mine') },
        { path: 'link', node: symlink('mine') },
        { path: 'new', node: rig.file('mine') },
      ]);
      change(rig.project);
      const before = readTree(rig.project);
      const result = await rig.commit(manifest);
      assert.is(!result.ok && result.failure.reason, 'conflict', what);
      assert.equal(differences(before, readTree(rig.project)), [], what);
    }
  });

  test('of a command that may lock finds a conflict also where another one has left the same', async () => {
    await using dir = await tempDir();
    dir.write('project/count', '0');
    await using rig = await workspaceRig(dir.path);
    const manifest = manifestOf(rig.project, [{ path: 'count', node: rig.file('1') }]);
    const conflict = (path: string) => ({ ok: false, failure: { reason: 'conflict', path } });
    assert.equal(await rig.commit(manifest, { findStale: () => 'lock' }), conflict('lock'));
    assert.ok((await rig.commit(manifest, { isExclusive: true })).ok);
    assert.equal(await rig.commit(manifest, { isExclusive: true }), conflict('count'));
    assert.ok((await rig.commit(manifest)).ok);
  });

  test('takes no conflict from times, directories that are there, or a result that stands there already', async () => {
    await using dir = await tempDir();
    dir.write('project/file', 'base');
    await using rig = await workspaceRig(dir.path);
    const manifest = manifestOf(rig.project, [
      { path: 'dir', node: directory() },
      { path: 'dir/a', node: rig.file('a') },
      { path: 'file', node: rig.file('mine') },
      { path: 'same', node: rig.file('same') },
    ]);
    utimesSync(join(rig.project, 'file'), 1, 1);
    dir.write('project/dir/theirs', '');
    dir.write('project/same', 'same');
    assert.ok((await rig.commit(manifest)).ok);
    assert.is(dir.read('project/file'), 'mine');
    assert.equal(readdirSync(dir.join('project/dir')).sort(), ['a', 'theirs']);
    await assertUpToDate(rig);
  });

  test('does not delete a directory that holds what jobs cannot see', async () => {
    await using dir = await tempDir();
    dir.write('project/dir/sub/file', '');
    await using rig = await workspaceRig(dir.path);
    const server = createServer().listen(join(rig.project, 'dir/sub/socket'));
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const result = await rig.commit(manifestOf(rig.project, [{ path: 'dir', node: null }]));
      assert.equal(result, { ok: false, failure: { reason: 'conflict', path: 'dir/sub/socket' } });
      assert.ok(existsSync(join(rig.project, 'dir/sub/file')));
    } finally {
      server.close();
    }
  });

  test('refuses to leave the project', async () => {
    await using dir = await tempDir();
    mkdirSync(dir.join('outside'));
    mkdirSync(dir.join('project'));
    symlinkSync('../outside', dir.join('project/link'));
    await using rig = await workspaceRig(dir.path);
    const manifest = manifestOf(rig.project, []);
    for (const path of ['link/file', 'link/deep/file']) {
      const changes = [{ path, base: null, node: rig.file('x') }];
      const thrown = await rig.commit({ ...manifest, changes }).catch((error) => error);
      assert.is(thrown instanceof AppError && thrown.code, 'unsafe-path');
    }
    const changes = [
      { path: 'a', base: null, node: null },
      { path: 'a/b', base: null, node: rig.file('x') },
    ];
    const thrown = await rig.commit({ ...manifest, changes }).catch((error) => error);
    assert.is(thrown instanceof AppError && thrown.code, 'unsafe-path');
    assert.equal(readdirSync(dir.join('outside')), []);
  });

  test('changes nothing when content is not to be had', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const there = rig.file('there');
    const missing = { ...there, digest: { hash: 'a'.repeat(64), sizeBytes: 5 } } as TreeNode;
    const result = await rig.commit(
      manifestOf(rig.project, [
        { path: 'a', node: there },
        { path: 'b', node: missing },
      ]),
    );
    assert.is(!result.ok && result.failure.reason, 'content-missing');
    assert.equal(readdirSync(rig.project), []);
  });

  test('changes nothing when it is cancelled before', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const result = await rig.workspace.commit(manifestOf(rig.project, [{ path: 'a', node: directory() }]), {
      content: rig.remote,
      onCommitting: () => assert.unreachable(),
      signal: AbortSignal.abort(),
    });
    assert.equal(result, { ok: false, failure: { reason: 'cancelled' } });
    assert.equal(readdirSync(rig.project), []);
  });

  test('serves many at once, and one after the other those that overlap', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const manifests = Array.from({ length: 40 }, (_, i) =>
      manifestOf(rig.project, [
        { path: 'dir', node: directory() },
        { path: `dir/${i % 20}`, node: rig.file(`${i}`) },
      ]),
    );
    const results = await Promise.all(manifests.map((manifest) => rig.commit(manifest)));
    const succeeded = results.flatMap((result, i) => (result.ok ? [i] : []));
    assert.is(succeeded.length, 20, 'the second of each pair is in conflict with the first');
    for (const i of succeeded) assert.is(dir.read(`project/dir/${i % 20}`), `${i}`);
    await assertUpToDate(rig);
  });

  test('makes the same directory for many at once', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    const manifests: Manifest[] = [];
    for (let i = 0; i < 20; i++) {
      // Large ones take a while to write; all is there already, so that all are planned at once.
      const content = Buffer.alloc(i % 3 === 0 ? 1_500_000 : 100, `${i}.`);
      await rig.store.put(digestOf(content), content);
      const changes = [
        { path: 'made', node: directory() },
        { path: `made/${i}`, node: directory() },
        { path: `made/${i}/empty`, node: directory() },
        { path: `made/${i}/file`, node: rig.file(content) },
      ];
      manifests.push(manifestOf(rig.project, changes));
    }
    const running = rig.workspace.snapshot();
    const results = await Promise.all(manifests.map((manifest) => rig.commit(manifest)));
    await running;
    assert.ok(results.every((result) => result.ok));
    await assertUpToDate(rig);
  });

  for (const seed of [1, 2, 3]) {
    test(`agrees with the disk after commits, edits and snapshots at once (seed ${seed})`, async () => {
      await using dir = await tempDir();
      mkdirSync(dir.join('project'));
      await using rig = await workspaceRig(dir.path);
      const random = randomOf(seed);
      for (let round = 0; round < 8; round++) {
        const running: Promise<unknown>[] = [];
        for (let i = 0; i < 15; i++) {
          const place = `${random(3)}/${random(4)}`;
          const node = rig.file(Buffer.alloc(random(8) === 0 ? 1_200_000 : random(50), `${round} ${i}`));
          const isRemoval = random(5) === 0 && existsSync(dir.join('project', place));
          const changes = isRemoval
            ? [{ path: place, node: null }]
            : [
                { path: place.slice(0, 1), node: directory() },
                { path: place, node: directory() },
                { path: `${place}/out${random(3)}`, node },
              ];
          const edited = random(2) === 0 ? `edited/${random(3)}/${random(3)}` : `${random(3)}/by hand`;
          // What is based on a directory that another one removes may fail, but must leave no trace.
          running.push(
            rig.commit(manifestOf(rig.project, changes)).catch((error) => assert.instance(error, AppError)),
          );
          if (random(2) === 0) dir.write(`project/${edited}`, `${i}`);
          if (random(3) === 0) running.push(rig.workspace.snapshot());
          if (random(4) === 0) await setImmediate();
        }
        await Promise.all(running);
        await assertUpToDate(rig);
      }
      assert.equal(temporaries(rig), []);
    });
  }

  test('never touches our own files, nor what has their names', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path, { projectRoot: dir.path });
    const { root } = await rig.workspace.snapshot();
    const { directories } = decodeDirectory((await rig.workspace.origin.blobs.get(root))!);
    assert.equal(
      directories.map(({ name }) => name),
      ['project'],
      'store and state are no part of the project',
    );
    const manifest = manifestOf(dir.path, []);
    for (const path of ['cas', 'state/db/x', 'state']) {
      const changes = [{ path, base: null, node: rig.file('x') }];
      const result = await rig.commit({ ...manifest, changes });
      assert.is(!result.ok && result.failure.reason, 'conflict', path);
    }
    for (const path of ['.termite-tmp-1', 'project/.termite-tmp-x/y']) {
      const changes = [{ path, base: null, node: rig.file('x') }];
      const thrown = await rig.commit({ ...manifest, changes }).catch((error) => error);
      assert.is(thrown instanceof AppError && thrown.code, 'unsafe-path', path);
    }
  });

  test('leaves no begun commit and no temporary files', async () => {
    await using dir = await tempDir();
    await using rig = await workspaceRig(dir.path);
    await succeeds(rig, [{ path: 'a', node: rig.file('a') }]);
    assert.equal(begunCommits(dir.join('state')), []);
    assert.equal(temporaries(rig), []);
  });
});

/** Commits, as a command that ran just now. */
async function succeeds(
  rig: WorkspaceRig,
  changes: PlannedChange[],
  { startedNs, content }: { startedNs?: bigint; content?: 'none' } = {},
): Promise<void> {
  const manifest = manifestOf(rig.project, changes, startedNs);
  if (content === 'none') {
    const none = {
      read: async () => undefined,
      getMany: async (digests: readonly unknown[]) => digests.map(() => undefined),
    };
    const options = { content: none, onCommitting: () => {}, signal: new AbortController().signal };
    assert.equal(await rig.workspace.commit(manifest, options), { ok: true, value: undefined });
  } else {
    assert.equal(await rig.commit(manifest), { ok: true, value: undefined });
  }
}

function modeOf(rig: WorkspaceRig, path: string): number {
  return lstatSync(join(rig.project, path)).mode & 0o7777;
}

function mtimeOf(rig: WorkspaceRig, path: string): bigint {
  return lstatSync(join(rig.project, path), { bigint: true }).mtimeNs;
}

function temporaries(rig: WorkspaceRig): string[] {
  return readdirSync(rig.project, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('.termite-tmp'),
  );
}
