import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { killIfThere } from '../harness/leftovers.ts';
import { skip, suite } from '../harness/suite.ts';
import type { CommandOutcome } from '../rigs/command.ts';
import { type DaemonRig, TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { availableUsers, sandboxObstacle } from '../rigs/user.ts';

/**
 * Something breaks in the middle of a build. The build, or the next one, ends with the right outputs, what happened is
 * said, and nothing stays behind: the rig asserts that no process is left, and with the processes go all mounts.
 */
const makefile = `
all: combined
combined: one two
	cat one two > combined
one: source
	echo partial > one; GATE one; cat source > one
two: source
	cat source source > two
`;

/** What the build makes, whatever happened on the way. */
const outputs = { one: 'source\n', two: 'source\nsource\n', combined: 'source\nsource\nsource\n' };

suite('When something is killed', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  for (const user of availableUsers()) {
    test(`the box, ${user} user: the command runs again and the build goes on`, async () => {
      await using rig = new TermiteRig(user);
      const build = startGatedBuild(rig);
      await rig.findProcess(/^sleep 4711/);
      for (const pid of await rig.findProcess(/termite-box/)) killIfThere(pid);
      await openGate(rig);
      const outcome = await build;
      assert.is(outcome.status, 0, outcome.stderr);
      assertBuilt(rig);
    });

    test(`make, ${user} user: its jobs end with it and the next build completes`, async () => {
      await using rig = new TermiteRig(user);
      const build = startGatedBuild(rig);
      await rig.findProcess(/^sleep 4711/);
      for (const pid of await rig.findProcess(/^make /)) killIfThere(pid);
      const outcome = await build;
      assert.is(outcome.status, 'SIGKILL', outcome.stderr);
      assert.equal(await rig.processesLeft(), []);
      assert.not(existsSync(join(rig.project, 'one')), 'no partial output');
      await assertNextBuildCompletes(rig);
    });

    test(`the master, ${user} user: make fails or runs on alone, and the next build completes`, async () => {
      await using rig = new TermiteRig(user);
      const build = startGatedBuild(rig);
      await rig.findProcess(/^sleep 4711/);
      for (const pid of await rig.findProcess(/main\.js master/)) killIfThere(pid);
      await openGate(rig);
      const outcome = await build;
      assert.match(outcome.stderr, /master/);
      if (outcome.status === 0) assertBuilt(rig);
      await assertNextBuildCompletes(rig);
    });

    test(`the whole build by Ctrl-C, ${user} user: no partial output, no process`, async () => {
      await using rig = new TermiteRig(user);
      const build = startGatedBuild(rig, { group: true });
      await rig.findProcess(/^sleep 4711/);
      const [pid] = await rig.findProcess(/main\.js make/);
      process.kill(-pid!, 'SIGINT');
      const outcome = await build;
      assert.not.equal(outcome.status, 0);
      assert.equal(await rig.processesLeft(), []);
      assert.not(existsSync(join(rig.project, 'one')), 'no partial output');
      await assertNextBuildCompletes(rig);
    });
  }

  test('an executor in mid-job: another one takes over', async () => {
    await using rig = new TermiteRig();
    await using site = await startSite(rig, ['first', 'second']);
    const build = startGatedBuild(rig, { env: { TERMITE_COORDINATOR: site.coordinator } });
    await rig.findProcess(/^sleep 4711/);
    for (const executor of site.executors) {
      const isBusy = rig.descendants(executor.child.pid!).some((line) => /^sleep 4711/.test(line));
      if (isBusy) await executor.end('SIGKILL');
    }
    await openGate(rig);
    const outcome = await build;
    assert.is(outcome.status, 0, outcome.stderr);
    assertBuilt(rig);
    assert.is(site.executors.filter(({ child }) => child.signalCode === 'SIGKILL').length, 1);
  });

  test('the only executor in mid-job: the command runs locally, said out loud', async () => {
    await using rig = new TermiteRig();
    await using site = await startSite(rig, ['only']);
    const build = startGatedBuild(rig, { env: { TERMITE_COORDINATOR: site.coordinator } });
    await rig.findProcess(/^sleep 4711/);
    await site.executors[0]!.end('SIGKILL');
    await openGate(rig);
    const outcome = await build;
    assert.is(outcome.status, 0, outcome.stderr);
    assertBuilt(rig);
    assert.match(outcome.stderr, /local/);
  });
});

suite('When storage fails', (test) => {
  test('a corrupted blob is detected, dropped and fetched again', async () => {
    await using rig = new TermiteRig();
    fill(rig, 'true');
    assert.is((await rig.termite(['make', '-j2'])).status, 0);
    const store = join(rig.env.XDG_CACHE_HOME!, 'termite/cas');
    const blobs = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\/[0-9a-f]{64}$/.test(name),
    );
    assert.ok(blobs.length > 2, `${blobs.length} blobs in the store`);
    for (const name of blobs) flipFirstByte(join(store, name));
    await rig.run(['rm', 'one', 'two', 'combined']);
    const outcome = await rig.report(['make', '-j2']);
    assert.is(outcome.status, 0, outcome.stderr);
    assertBuilt(rig);
    assert.is(outcome.report.fallbacks, 0, outcome.stderr);
  });

  test("a full disk under the executor's store leads to local runs, said out loud", async () => {
    await using rig = new TermiteRig();
    fill(rig, 'true');
    const tiny = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=256k full "$0" && exec "$@"'];
    await using site = await startSite(rig, ['full'], tiny);
    const outcome = await rig.report(['make', '-j2'], {
      env: { ...rig.env, TERMITE_COORDINATOR: site.coordinator },
    });
    assert.is(outcome.status, 0, outcome.stderr);
    assertBuilt(rig);
    assert.is(outcome.report.local, 3);
    assert.is(outcome.report.fallbacks, 3);
    assert.match(outcome.stderr, /no space left/);
  });
});

suite('Separate processes that share nothing but HTTP', (test) => {
  test('build as one does', async () => {
    await using rig = new TermiteRig();
    fill(rig, 'true');
    await using site = await startSite(rig, ['first', 'second']);
    const outcome = await rig.report(['make', '-j4'], {
      env: { ...rig.env, TERMITE_COORDINATOR: site.coordinator },
    });
    assert.is(outcome.status, 0, outcome.stderr);
    assertBuilt(rig);
    assert.is(outcome.report.remote, 3, outcome.stderr);
    assert.is(outcome.report.local, 0);
    for (const name of ['first', 'second']) {
      assert.ok(statSync(join(rig.base, name)).isDirectory(), 'each executor has a store of its own');
    }
  });
});

/** Writes the project; GATE becomes what `one` waits for in the middle of its recipe. */
function fill(rig: TermiteRig, gate: string): void {
  writeFileSync(join(rig.project, 'Makefile'), makefile.replace('GATE one', gate));
  writeFileSync(join(rig.project, 'source'), 'source\n');
  rig.give(rig.project);
}

/** A build whose command `one` hangs in `sleep 4711` after a partial output, until `openGate` ends that sleep. */
function startGatedBuild(
  rig: TermiteRig,
  options: { group?: boolean; env?: NodeJS.ProcessEnv } = {},
): Promise<CommandOutcome> {
  fill(rig, 'sleep 4711 || :');
  return rig.termite(['make', '-j2'], {
    env: { ...rig.env, ...options.env },
    through: options.group ? ['setsid', '--wait'] : [],
  });
}

/** Lets every `sleep 4711` end, now and after a retry, until the build has no such process any more. */
async function openGate(rig: TermiteRig): Promise<void> {
  for (let quietRounds = 0; quietRounds < 10; ) {
    const sleepers = rig.processes(/^sleep 4711/);
    quietRounds = sleepers.length === 0 ? quietRounds + 1 : 0;
    for (const pid of sleepers) {
      try {
        process.kill(pid, 'SIGTERM');
      } catch {
        // ended meanwhile
      }
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

function assertBuilt(rig: TermiteRig): void {
  for (const [name, content] of Object.entries(outputs)) {
    assert.is(readFileSync(join(rig.project, name), 'utf8'), content, name);
  }
  const temporary = readdirSync(rig.project).filter((name) => name.startsWith('.termite'));
  assert.equal(temporary, [], 'nothing of ours stays in the project');
}

async function assertNextBuildCompletes(rig: TermiteRig): Promise<void> {
  fill(rig, 'true');
  const outcome = await rig.termite(['make', '-j2']);
  assert.is(outcome.status, 0, outcome.stderr);
  assertBuilt(rig);
  const before = readTree(rig.project);
  assert.is((await rig.run(['make'])).status, 0);
  assert.equal(differences(before, readTree(rig.project)), []);
}

/** A coordinator and executors as processes of their own, each with its own folder. */
async function startSite(rig: TermiteRig, names: readonly string[], prefix: readonly string[] = []) {
  const coordinatorDaemon = await rig.daemon(
    ['coordinator', '--listen', '127.0.0.1:0'],
    /https:\/\/127\.0\.0\.1:\d+/,
  );
  const coordinator = (await coordinatorDaemon.said(/https:\/\/127\.0\.0\.1:\d+/))[0];
  const executors: DaemonRig[] = [];
  for (const name of names) {
    const store = join(rig.base, name);
    await rig.run(['mkdir', store]);
    const args = [
      'executor',
      '--coordinator',
      coordinator,
      '--listen',
      '127.0.0.1:0',
      '--store',
      store,
      '--name',
      name,
    ];
    const through = prefix.length > 0 ? [...prefix, store] : [];
    executors.push(await rig.daemon(args, /ready/, through));
  }
  return {
    coordinator,
    executors,
    async [Symbol.asyncDispose]() {
      for (const daemon of [...executors, coordinatorDaemon]) await daemon.end();
    },
  };
}

function flipFirstByte(path: string): void {
  if (statSync(path).size === 0) return;
  const fd = openSync(path, 'r+');
  const first = readFileSync(path).readUInt8(0);
  writeSync(fd, Buffer.from([first ^ 0xff]), 0, 1, 0);
  closeSync(fd);
}
