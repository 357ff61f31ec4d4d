import { chownSync, readdirSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { JobMemory } from '../../executor/job-memory.ts';
import type { Job } from '../../protocol/job.ts';
import { runProgram } from '../../runtime/child-process.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { asUser, ordinaryId, sandboxObstacle } from '../rigs/user.ts';
import { type ExecutorRig, executorRig } from './executor-rig.ts';
import { untilProcess } from './processes.ts';

const mebibyte = 1024 * 1024;
/** What a file system of 1 PiB has, in KiB: a layer in memory says that it is never full. */
const unlimitedKib = 2 ** 40;
/** Without end as long as the files are in memory. */
const stayInMemory = `if test $(df -k --output=size . | tail -n1) = ${unlimitedKib}; then exec sleep 1000; fi`;

/** Overlayfs without privileges keeps its marks in `user.*` attributes. */
function skipWithoutUserAttributes(): void {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 6)) skip('a tmpfs has no user.* attributes before Linux 6.6');
}

/** The directories of jobs on disk while this one runs. */
async function jobDirsDuring(rig: ExecutorRig, argument: string): Promise<string[]> {
  const aborter = new AbortController();
  const executing = rig.execute(['/bin/sleep', argument], {}, { signal: aborter.signal });
  await untilProcess(argument, true);
  const [work = ''] = readdirSync(rig.dir.join('executor'));
  const names = readdirSync(rig.dir.join('executor', work, 'jobs'));
  aborter.abort();
  await executing;
  return names;
}

suite('Files of a job', (test) => {
  test('are in memory while it runs, or on disk when it gets none', async () => {
    if (process.getuid?.() !== 0) skipWithoutUserAttributes();
    await using inMemory = await executorRig();
    assert.equal(await jobDirsDuring(inMemory, '1000.625'), []);
    await using onDisk = await executorRig({ memoryBytesPerJob: 0 });
    assert.equal(await jobDirsDuring(onDisk, '1000.6875'), ['1']);
  });

  test('are in memory also for an ordinary user', async () => {
    skipWithoutUserAttributes();
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    await using dir = await tempDir();
    if (process.getuid?.() === 0) chownSync(dir.path, ordinaryId, ordinaryId);
    const child = join(import.meta.dirname, 'job-files.child.js');
    const [program = '', ...args] = asUser('ordinary', [process.execPath, child, dir.path]);
    const { stdout, stderr } = await runProgram(program, args);
    const [inMemory, onDisk] = stdout.toString().trim().split('\n').map(Number);
    assert.is(inMemory, unlimitedKib, stderr.toString());
    assert.ok(onDisk! > 0 && onDisk! < unlimitedKib, stdout.toString());
  });

  for (const [what, line, path] of [
    ['content', "head -c 4000000 /dev/zero | tr '\\0' x > out", 'out'],
    ['entries', 'mkdir d; seq 4000 | sed s,^,d/, | xargs touch', 'd/4000'],
    ['output', 'head -c 4000000 /dev/zero', undefined],
    ['temporary files', 'head -c 4000000 /dev/zero > /tmp/big; touch out', 'out'],
  ] as const) {
    test(`go to disk, and the command begins anew, when there is too much ${what}`, async () => {
      await using rig = await executorRig({ memoryBytesPerJob: mebibyte });
      const { status, stdout, stderr, manifest } = await rig.sh(`echo begun; ${line}; ${stayInMemory}`);
      assert.equal([status, stderr], [{ kind: 'exit', code: 0 }, '']);
      assert.is(stdout.length, 'begun\n'.length + (what === 'output' ? 4_000_000 : 0));
      assert.is(
        manifest.changes.some((change) => change.path === path),
        path !== undefined,
      );
      if (what !== 'content') return;
      const { node } = manifest.changes[0]!;
      assert.equal(node?.type === 'file' && node.digest, digestOf(Buffer.alloc(4_000_000, 'x')));
    });
  }

  test('go to disk before the command gets anything of stdin, as that cannot be read again', async () => {
    await using rig = await executorRig();
    rig.origin.stdin = Buffer.from('read once\n');
    const { stdout } = await rig.sh(`cat; ${stayInMemory}`, { forwardStdin: true });
    assert.is(stdout, 'read once\n');
  });

  test('are the same wherever they were', async () => {
    const line = [
      'echo content > file; ln file link; ln -s file symlink; mkfifo -m 600 fifo; rm hello.txt',
      'truncate -s 100M sparse; printf end >> sparse; mkdir d; chmod 555 d; touch -d @1000000000 file d',
      'echo out; echo err >&2; chmod 0 link',
    ].join('\n');
    const results = [];
    for (const memoryBytesPerJob of [mebibyte, 0]) {
      await using rig = await executorRig({ memoryBytesPerJob });
      const { stdout, stderr, manifest } = await rig.sh(line);
      results.push({
        ...{ stdout, stderr },
        changes: manifest.changes.map(({ path, node, linkGroup }) => {
          const isOld = node && 'mtimeNs' in node && node.mtimeNs! < 1_000_000_000_000_000_001n;
          return { path, node: node && 'mtimeNs' in node ? { ...node, mtimeNs: isOld } : node, linkGroup };
        }),
      });
    }
    assert.is(results[0]!.changes.length, 7);
    assert.equal(results[0], results[1]);
  });
});

suite('JobMemory', (test) => {
  const job = (argv: string[], cwd = '/project') => ({ argv, cwd }) as unknown as Job;

  test('bytesFor() gives each slot a share of the available memory', () => {
    const one = new JobMemory({ slotCount: 1 }).bytesFor(job(['cc']));
    const four = new JobMemory({ slotCount: 4 }).bytesFor(job(['cc']));
    assert.ok(one > 16 * mebibyte && one < process.availableMemory() / 4);
    assert.ok(four > one / 5 && four < one / 3);
  });

  test('bytesFor() gives nothing when there would be little', () => {
    assert.is(new JobMemory({ slotCount: 1_000_000 }).bytesFor(job(['cc'])), 0);
  });

  test('keepOnDisk() is remembered of a command in its folder, for the latest 4096', () => {
    const memory = new JobMemory({ slotCount: 1, bytesPerJob: 5 });
    memory.keepOnDisk(job(['ld', 'a']));
    assert.is(memory.bytesFor(job(['ld', 'a'])), 0);
    assert.is(memory.bytesFor(job(['ld', 'b'])), 5);
    assert.is(memory.bytesFor(job(['ld', 'a'], '/elsewhere')), 5);
    for (let i = 0; i < 4095; i++) memory.keepOnDisk(job([`${i}`]));
    assert.is(memory.bytesFor(job(['ld', 'a'])), 0);
    memory.keepOnDisk(job(['one more']));
    assert.is(memory.bytesFor(job(['ld', 'a'])), 5);
  });
});
