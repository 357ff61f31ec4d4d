import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { type Directory, decodeDirectory } from '../../cas/directory.ts';
import { StatCache, signatureOf } from '../../cas/stat-cache.ts';
import type { Digest } from '../../protocol/digest.ts';
import { fsPath } from '../../runtime/byte-path.ts';
import { randomOf } from '../harness/random.ts';
import { skip, suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';
import { assertUpToDate, type WorkspaceRig, workspaceRig } from '../rigs/workspace.ts';

suite('Workspace.snapshot()', (test) => {
  test('holds files, directories, symlinks and FIFOs with modes and times, and nothing of our own', async () => {
    await using dir = await tempDir();
    dir.write('project/sub/file', 'content', { mode: 0o750 });
    utimesSync(dir.join('project/sub/file'), 1_600_000_000, 1_600_000_000);
    symlinkSync('any where', dir.join('project/link'));
    execFileSync('mkfifo', ['-m', '640', dir.join('project/fifo')]);
    dir.write('project/.termite-tmp-1', '');
    dir.write('project/empty', '');
    const server = createServer().listen(dir.join('project/socket'));
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      await using rig = await workspaceRig(dir.path);
      assert.is(rig.workspace.fileCount, 2);
      const { root } = await rig.workspace.snapshot();
      const directory = await directoryAt(rig, root);
      assert.equal(
        directory.files.map(({ name, type, mode }) => [name, type, mode]),
        [
          ['empty', 'file', 0o644],
          ['fifo', 'fifo', 0o640],
        ],
      );
      assert.equal(
        directory.symlinks.map(({ name, target }) => [name, target]),
        [['link', 'any where']],
      );
      assert.is(directory.mtimeNs, lstatSync(rig.project, { bigint: true }).mtimeNs);
      const [sub] = directory.directories;
      const [file] = (await directoryAt(rig, sub!.digest!)).files;
      const identityOf = (path: string) => {
        const { ino, ctimeNs, nlink } = lstatSync(path, { bigint: true });
        return { inode: Number(ino), ctimeNs, linkCount: Number(nlink) };
      };
      assert.equal(file, {
        name: 'file',
        type: 'file',
        digest: digestOf(Buffer.from('content')),
        mode: 0o750,
        mtimeNs: 1_600_000_000_000_000_000n,
        identity: identityOf(dir.join('project/sub/file')),
      });
      assert.equal(directory.symlinks[0]!.identity, identityOf(dir.join('project/link')));
      assert.equal(directory.identity, identityOf(rig.project));
      assert.is(sub!.inode, identityOf(dir.join('project/sub')).inode);
    } finally {
      server.close();
    }
  });

  test('takes in every kind of change, whoever makes it', async () => {
    await using dir = await tempDir();
    dir.write('project/a/file', 'one');
    dir.write('project/b/file', 'two');
    await using rig = await workspaceRig(dir.path);
    const at = (path: string) => join(rig.project, path);
    const changes: Record<string, () => void> = {
      write: () => writeFileSync(at('a/file'), 'changed'),
      'same size': () => writeFileSync(at('a/file'), 'CHANGED'),
      append: () => appendFileSync(at('a/file'), '!'),
      truncate: () => truncateSync(at('a/file'), 1),
      chmod: () => chmodSync(at('a/file'), 0o600),
      touch: () => utimesSync(at('a/file'), 1, 1),
      make: () => writeFileSync(at('b/new'), 'new'),
      'make directories': () => execFileSync('mkdir', ['-p', at('x/y/z')]),
      'fill directories': () => writeFileSync(at('x/y/z/file'), 'deep'),
      'rename file': () => renameSync(at('b/new'), at('a/renamed')),
      'rename directory': () => renameSync(at('x'), at('b/x')),
      'write in renamed directory': () => writeFileSync(at('b/x/y/z/file'), 'deeper'),
      'chmod directory': () => chmodSync(at('b/x'), 0o700),
      symlink: () => symlinkSync('file', at('a/link')),
      'file to directory': () =>
        execFileSync('sh', ['-c', 'rm file; mkdir file; echo x >file/y'], { cwd: at('a') }),
      'directory away and back': () =>
        execFileSync('sh', ['-c', 'mv b ../away; echo more >../away/more; mv ../away b'], {
          cwd: rig.project,
        }),
      remove: () => rmSync(at('a/file'), { recursive: true }),
      'remove tree': () => rmSync(at('b'), { recursive: true }),
      'odd names': () => writeFileSync(fsPath(at('a/\udcff\n')), 'odd'),
      'root mode': () => chmodSync(rig.project, 0o700),
    };
    for (const [what, change] of Object.entries(changes)) {
      change();
      await assertUpToDate(rig, what);
    }
  });

  test('sees a change through one name of a file in all of its names', async () => {
    await using dir = await tempDir();
    dir.write('project/a/name', 'old');
    dir.write('project/linked', 'old');
    linkSync(dir.join('project/linked'), dir.join('project/linked-from-start'));
    await using rig = await workspaceRig(dir.path);
    writeFileSync(join(rig.project, 'linked'), 'new');
    await assertUpToDate(rig, 'linked from the start');
    mkdirSync(join(rig.project, 'b'));
    linkSync(join(rig.project, 'a/name'), join(rig.project, 'b/other'));
    await rig.workspace.snapshot();
    writeFileSync(join(rig.project, 'b/other'), 'new content');
    await assertUpToDate(rig, 'linked later');
  });

  test('sees each of many edits in quick succession, also of equal size', async () => {
    await using dir = await tempDir();
    const file = dir.write('project/file', '000');
    await using rig = await workspaceRig(dir.path);
    for (let i = 1; i < 300; i++) {
      const content = String(i).padStart(3, '0');
      writeFileSync(file, content, { flag: 'r+' });
      const { root } = await rig.workspace.snapshot();
      const [node] = (await directoryAt(rig, root)).files;
      assert.is(node!.digest.hash, digestOf(Buffer.from(content)).hash, content);
    }
  });

  test('ends up with the last content of a file that is being written all the time', async () => {
    await using dir = await tempDir();
    const file = dir.write('project/file', '');
    await using rig = await workspaceRig(dir.path);
    for (let i = 0; i < 200; i++) {
      const pending = rig.workspace.snapshot();
      appendFileSync(file, Buffer.alloc(10_000, `${i}`));
      if (i % 3 === 0) await setTimeout(1);
      appendFileSync(file, 'x');
      await pending;
    }
    await assertUpToDate(rig);
  });

  test('includes everything before its call, however many call at once', async () => {
    await using dir = await tempDir();
    mkdirSync(dir.join('project'));
    await using rig = await workspaceRig(dir.path);
    const checks = Array.from({ length: 60 }, async (_, i) => {
      await setTimeout(i % 7);
      dir.write(`project/${i % 4}/${i}`, `${i}`);
      const { root } = await rig.workspace.snapshot();
      const { directories } = await directoryAt(rig, root);
      const sub = directories.find(({ name }) => name === `${i % 4}`);
      const { files } = await directoryAt(rig, sub!.digest!);
      assert.ok(files.some(({ name }) => name === `${i}`));
    });
    await Promise.all(checks);
  });

  for (const seed of [1, 2, 3, 4]) {
    test(`agrees with a walk of the disk after storms of changes (seed ${seed})`, async () => {
      await using dir = await tempDir();
      mkdirSync(dir.join('project'));
      await using rig = await workspaceRig(dir.path);
      const storm = new Storm(dir, randomOf(seed));
      for (let round = 0; round < 25; round++) {
        for (let i = 0; i < 40; i++) storm.blow();
        await assertUpToDate(rig, `round ${round}`);
      }
      assert.ok(storm.count > 200, `${storm.count} changes`);
    });
  }

  test('survives an overflow of the event queue', async () => {
    await using dir = await tempDir();
    for (let i = 0; i < 50; i++) dir.write(`project/d${i}/file`, '');
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
    if (limit > 100_000) skip(`the queue holds ${limit} events`);
    await using rig = await workspaceRig(dir.path);
    // Stopped, the watcher cannot keep the queue short.
    const [watcher] = childrenNamed('termite-watch');
    assert.ok(watcher);
    process.kill(watcher, 'SIGSTOP');
    try {
      for (let i = 0; i < limit + 100; i++) chmodSync(join(rig.project, `d${i % 50}/file`), 0o600 + (i % 7));
      dir.write('project/d1/beyond/the limit', 'lost event');
    } finally {
      process.kill(watcher, 'SIGCONT');
    }
    await assertUpToDate(rig);
    dir.write('project/d1/beyond/after', 'x');
    await assertUpToDate(rig);
  });

  test('starts a watcher that was killed again, and misses nothing', async () => {
    await using dir = await tempDir();
    dir.write('project/sub/file', 'old');
    await using rig = await workspaceRig(dir.path);
    await rig.workspace.origin.listDirectory('/etc');
    const [watcher] = childrenNamed('termite-watch');
    process.kill(watcher!, 'SIGKILL');
    dir.write('project/sub/file', 'new');
    await assertUpToDate(rig);
    assert.is(rig.workspace.systemChanges.epoch, 2);
    dir.write('project/sub/file', 'newer');
    await assertUpToDate(rig);
  });

  test('keeps Directory blobs of former trees for the jobs that are based on them', async () => {
    await using dir = await tempDir();
    dir.write('project/file', 'first');
    await using rig = await workspaceRig(dir.path);
    const { root: first } = await rig.workspace.snapshot();
    dir.write('project/file', 'second');
    await rig.workspace.snapshot();
    const [file] = (await directoryAt(rig, first)).files;
    assert.is(file!.digest.hash, digestOf(Buffer.from('first')).hash);
  });

  test('reads only files that the last session did not know', async () => {
    await using dir = await tempDir();
    for (let i = 0; i < 50; i++) dir.write(`project/${i}`, `${i}`);
    await setTimeout(50);
    await (await workspaceRig(dir.path))[Symbol.asyncDispose]();
    const made = digestOf(Buffer.from('made up'));
    {
      await using cache = await StatCache.open(dir.join('state/db'), { onNotice: () => {} });
      assert.is((await cache.load(dir.join('project'))).size, 50);
      const signature = signatureOf(lstatSync(dir.join('project/8'), { bigint: true }));
      cache.record(dir.join('project/8'), signature, made, BigInt(Date.now()) * 1_000_000n);
    }
    dir.write('project/9', 'new');
    await using rig = await workspaceRig(dir.path);
    const { files } = await directoryAt(rig, (await rig.workspace.snapshot()).root);
    assert.is(files.find(({ name }) => name === '8')!.digest.hash, made.hash);
    assert.equal(files.find(({ name }) => name === '9')!.digest, digestOf(Buffer.from('new')));
  });
});

/** Random changes to the files and directories below a project, the same for the same seed. */
class Storm {
  count = 0;
  readonly #dir: TempDir;
  readonly #random: (limit: number) => number;
  readonly #outside: string;

  constructor(dir: TempDir, random: (limit: number) => number) {
    this.#dir = dir;
    this.#random = random;
    this.#outside = mkdtempSync(dir.join('outside-'));
  }

  blow(): void {
    try {
      this.#change();
      this.count += 1;
    } catch (error) {
      // Such as a rename of a directory into itself: part of the weather.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }

  #change(): void {
    const place = this.#place();
    switch (this.#random(13)) {
      case 0:
      case 1:
        return void mkdirSync(place, { recursive: true });
      case 2:
      case 3:
      case 4:
        mkdirSync(dirname(place), { recursive: true });
        return writeFileSync(place, `${this.#random(1000)}`);
      case 5:
        return appendFileSync(place, 'more');
      case 6:
      case 7:
        return renameSync(place, this.#place());
      case 8:
        return renameSync(place, join(this.#outside, `${this.#random(4)}`));
      case 9:
        return renameSync(join(this.#outside, `${this.#random(4)}`), place);
      case 10:
        return rmSync(place, { recursive: true });
      case 11:
        return linkSync(place, this.#place());
      default:
        return symlinkSync('somewhere', place);
    }
  }

  /** Few names and shallow: so that changes meet. */
  #place(): string {
    const depth = 1 + this.#random(4);
    return this.#dir.join('project', ...Array.from({ length: depth }, () => `n${this.#random(3)}`));
  }
}

async function directoryAt(rig: WorkspaceRig, digest: Digest): Promise<Directory> {
  const blob = await rig.workspace.origin.blobs.get(digest);
  assert.ok(blob, 'directory blob');
  return decodeDirectory(blob);
}

function childrenNamed(name: string): number[] {
  const list = execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', `${process.pid}`], { encoding: 'utf8' });
  return list
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, comm]) => comm === name.slice(0, 15))
    .map(([pid]) => Number(pid));
}
