import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { linkSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { assertUpToDate, workspaceRig } from '../rigs/workspace.ts';

/** Longer than files count as just written. */
const settledMs = 2_200;

suite('Workspace.beginSession()', (test) => {
  test('finds what was written through a name outside of the project', async () => {
    await using dir = await tempDir();
    dir.write('project/from start', 'one');
    dir.write('project/later', 'one');
    linkSync(dir.join('project/from start'), dir.join('elsewhere'));
    await using rig = await workspaceRig(dir.path);
    writeFileSync(dir.join('elsewhere'), 'another');
    assert.is(await rig.workspace.beginSession(), true);
    await assertUpToDate(rig, 'linked from the start');
    writeFileSync(dir.join('elsewhere'), 'same ==');
    assert.is(await rig.workspace.beginSession(), true);
    await assertUpToDate(rig, 'linked from the start, again');
    // The kernel does not tell of the name; so the next full comparison has to find it.
    linkSync(dir.join('project/later'), dir.join('elsewhere too'));
    writeFileSync(dir.join('elsewhere too'), 'another');
    await sleep(1_100);
    assert.is(await rig.workspace.beginSession(), true);
    await assertUpToDate(rig, 'linked later');
  });

  test('finds each store to a mapping of a file that was mapped when it was read', async () => {
    await using dir = await tempDir();
    const path = dir.write('project/data', 'a'.repeat(5000));
    await using writer = await mapping(path);
    await using rig = await workspaceRig(dir.path);
    await sleep(settledMs);
    for (const [offset, letter] of ['b', 'c', 'd'].entries()) {
      await writer.store(offset % 2, letter);
      assert.is(await rig.workspace.beginSession(), true);
      await assertUpToDate(rig, `after "${letter}"`);
    }
  });

  test('finds a second store to a page that was dirty when the file was read', async () => {
    await using dir = await tempDir();
    const path = dir.write('project/data', 'a'.repeat(5000));
    await using rig = await workspaceRig(dir.path);
    await using writer = await mapping(path);
    await writer.store(0, 'b');
    await sleep(settledMs);
    await rig.workspace.recheck();
    await assertUpToDate(rig, 'after the first store');
    await sleep(settledMs);
    await rig.workspace.recheck();
    await writer.store(0, 'c');
    assert.is(await rig.workspace.beginSession(), true);
    await assertUpToDate(rig, 'after the second store');
  });

  test('refuses when another project stands in the place of the one that was opened', async () => {
    await using dir = await tempDir();
    dir.write('project/file', 'one');
    await using rig = await workspaceRig(dir.path);
    renameSync(dir.join('project'), dir.join('former'));
    assert.is(await rig.workspace.beginSession(), false, 'none');
    mkdirSync(dir.join('project'));
    dir.write('project/file', 'one');
    assert.is(await rig.workspace.beginSession(), false, 'another');
    execFileSync('rm', ['-r', dir.join('project')]);
    renameSync(dir.join('former'), dir.join('project'));
    assert.is(await rig.workspace.beginSession(), true, 'back again');
  });
});

suite('Workspace.snapshot(), of files that change without looking different', (test) => {
  test('has the content that a file has when whoever mapped it lets go', async () => {
    await using dir = await tempDir();
    const path = dir.write('project/data', 'a'.repeat(5000));
    dir.write('project/sub/other', '');
    linkSync(path, dir.join('project/sub/name'));
    await using rig = await workspaceRig(dir.path);
    {
      await using writer = await mapping(path);
      await writer.store(0, 'b');
      await sleep(settledMs);
      await rig.workspace.recheck();
      await writer.store(0, 'c');
    }
    await assertUpToDate(rig);
  });

  test('sees what is mounted in the project, what is covered by it, and what shows again', async () => {
    if (process.getuid?.() !== 0) skip('only root can mount');
    await using dir = await tempDir();
    dir.write('project/sub/deep/data', 'one');
    dir.write('project/file', 'one');
    dir.write('other/deep/data', 'two');
    dir.write('other/file', 'two');
    await using rig = await workspaceRig(dir.path);
    const at = (path: string) => join(rig.project, path);
    const mounts: [what: string, ...string[]][] = [
      ['a folder', '--bind', dir.join('other'), at('sub')],
      ['an empty file system', '-t', 'tmpfs', 'termite-test', at('sub/deep')],
      ['a file', '--bind', dir.join('other/file'), at('file')],
    ];
    for (const [what, ...argv] of mounts) {
      const place = argv.at(-1)!;
      execFileSync('mount', argv);
      try {
        await assertUpToDate(rig, `${what}, mounted`);
        const path = what === 'a file' ? place : join(place, 'new');
        writeFileSync(path, 'three');
        await assertUpToDate(rig, `${what}, written to`);
        writeFileSync(path, 'threes');
        await assertUpToDate(rig, `${what}, written to again`);
      } finally {
        execFileSync('umount', ['-l', place]);
      }
      await assertUpToDate(rig, `${what}, unmounted`);
      dir.write(`project/sub/deep/after ${what}`, '');
      await assertUpToDate(rig, `${what}, watched as before`);
    }
  });
});

/** Somebody who has a file mapped, and stores to it when told. */
async function mapping(path: string) {
  const script = `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, os.fstat(fd).st_size)
os.close(fd)
print("ready", flush=True)
for line in sys.stdin:
    offset, letter = line.split()
    m[int(offset)] = ord(letter)
    print("done", flush=True)
`;
  const child: ChildProcessWithoutNullStreams = spawn('python3', ['-c', script, path]);
  const answered = () =>
    new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('The one who has it mapped has ended')));
      child.stdout.once('data', () => resolve());
    });
  await answered();
  return {
    async store(offset: number, letter: string) {
      const answer = answered();
      child.stdin.write(`${offset} ${letter}\n`);
      await answer;
    },
    async [Symbol.asyncDispose]() {
      child.removeAllListeners('exit');
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await ended;
    },
  };
}
