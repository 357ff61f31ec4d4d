import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { runProgram } from '../../runtime/child-process.ts';
import { visiblePlace } from '../rigs/places.ts';
import { asUser } from '../rigs/user.ts';
import { removeLeftovers } from './leftovers.ts';
import { readableCheckout } from './readable-copy.ts';
import { skip, suite } from './suite.ts';
import { type TempDir, tempDir } from './temp-dir.ts';

const harness = pathToFileURL(import.meta.dirname).href;
const runner = join(import.meta.dirname, 'run.js');

/** A test that has made a folder and a process outside of its own process group, and never ends. */
const endless = `import { spawn } from 'node:child_process';
  import { suite } from '${harness}/suite.js';
  import { tempDir } from '${harness}/temp-dir.js';
  suite('S', (test) => test('endless', async () => {
    const dir = await tempDir();
    dir.write('closed/file', 'x');
    const env = { ...process.env, XDG_CACHE_HOME: dir.join('cache') };
    const { pid } = spawn('sleep', ['1000'], { env, detached: true, stdio: 'ignore' });
    dir.write('pids', process.pid + ' ' + pid);
    await new Promise(() => setInterval(() => {}, 1000));
  }, { deadlineMs: 600_000 }));`;

interface EndlessRun {
  child: ChildProcess;
  /** Where its tests make their folders. */
  tmp: string;
  /** Of the test file, and of what it left running elsewhere. */
  pids: number[];
}

async function startEndless(dir: TempDir): Promise<EndlessRun> {
  dir.write('tests/endless.test.js', endless);
  dir.write('tests/package.json', '{"type": "module"}');
  const tmp = dir.join('tmp');
  mkdirSync(tmp);
  const env = { ...process.env, TMPDIR: tmp };
  const child = spawn(process.execPath, [runner, '--root', dir.join('tests')], { env, stdio: 'ignore' });
  for (;;) {
    const [folder] = readdirSync(tmp);
    if (folder !== undefined && existsSync(join(tmp, folder, 'pids'))) {
      const pids = dir.read(`tmp/${folder}/pids`).split(' ').map(Number);
      if (pids.length === 2) return { child, tmp, pids };
    }
    await sleep(10);
  }
}

async function untilGone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await sleep(10);
}

suite('Leftovers', (test) => {
  test('of a run that is interrupted are removed at its end', async () => {
    await using dir = await tempDir();
    const { child, tmp, pids } = await startEndless(dir);
    child.kill('SIGINT');
    await once(child, 'exit');
    assert.equal(readdirSync(tmp), []);
    for (const pid of pids) await untilGone(pid);
  });

  test('of a run that is killed: its processes end with it, its folders with the next run', async () => {
    await using dir = await tempDir();
    const { child, tmp, pids } = await startEndless(dir);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await untilGone(pids[0]!);
    assert.is(readdirSync(tmp).length, 1);
    assert.is(removeLeftovers([tmp]).length, 1);
    assert.equal(readdirSync(tmp), []);
    await untilGone(pids[1]!);
  });

  test('of a run that goes on, of failed tests and of others are not touched', async () => {
    await using dir = await tempDir();
    const kept = ['termite-test-999999999-abc/.kept', `termite-rig-${process.ppid}-abc/x`, 'termite-else/x'];
    for (const file of kept) dir.write(file, '');
    dir.write('termite-rig-999999999-abc/x', '');
    assert.equal(removeLeftovers([dir.path]), [dir.join('termite-rig-999999999-abc')]);
    assert.is(readdirSync(dir.path).length, 3);
  });
});

suite('readableCheckout()', (test) => {
  test('copies a checkout that only root can enter, whatever its modes, without what tests do not need', async () => {
    if (process.getuid?.() !== 0) skip('only root has what others cannot read');
    await using dir = await tempDir();
    dir.write('own/dist/test/harness/probe.js', 'console.log("ran")', { mode: 0o600 });
    dir.write('own/node_modules/typescript/big', '');
    dir.write('own/node_modules/level/index.js', '', { mode: 0o600 });
    dir.write('own/.git/config', '');
    chmodSync(dir.join('own'), 0o700);
    const { packageRoot, node } = readableCheckout({
      packageRoot: dir.join('own'),
      node: process.execPath,
    });
    const probe = join(packageRoot, 'dist/test/harness/probe.js');
    const [program = '', ...args] = asUser('ordinary', [node, probe]);
    assert.is((await runProgram(program, args)).stdout.toString(), 'ran\n');
    assert.ok(existsSync(join(packageRoot, 'node_modules/level/index.js')));
    assert.not(existsSync(join(packageRoot, 'node_modules/typescript')));
    assert.not(existsSync(join(packageRoot, '.git')));
  });

  test('takes a checkout that everybody can read as it is', async () => {
    if (process.getuid?.() !== 0) skip('only root has what others cannot read');
    const place = visiblePlace('ordinary') ?? skip('there is no such folder');
    await using dir = await tempDir(place);
    chmodSync(dir.path, 0o755);
    dir.write('dist/test/harness/probe.js', '');
    const own = { packageRoot: dir.path, node: process.execPath };
    const checkout = readableCheckout(own);
    if (checkout.node === own.node) assert.equal(checkout, own);
  });
});
