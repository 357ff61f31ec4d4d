import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { nativeShell, TermiteRig } from '../rigs/termite.ts';
import { availableUsers, needPrograms, sandboxObstacle, type User } from '../rigs/user.ts';

const launcher = join(nativeShell, '../../termite-launcher');

function newRig(user: User = 'root'): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  return new TermiteRig(user);
}

/** Prints how many processes there are: few only in a sandbox. */
const countProcesses = 'ls -d /proc/[0-9]* | wc -l';

for (const user of availableUsers()) {
  suite(`A project as ${user} user`, (test) => {
    test('holds nothing of ours while it is built', async () => {
      await using rig = newRig(user);
      needPrograms('git');
      const makefile =
        'all:\n\tls -A | sort\n\t+ls -A | sort\n\tcp -a . ../copy\n\tgit status --porcelain -uall\n';
      writeFileSync(join(rig.project, 'Makefile'), makefile);
      const start = 'git init -q && git add . && git -c user.name=me -c user.email=me@x commit -qm one';
      assert.is((await rig.run(['sh', '-c', start])).status, 0);
      const { status, stdout, stderr } = await rig.termite(['make', '-s']);
      assert.is(status, 0, stderr);
      assert.equal(
        stdout.split('\n').filter((line) => line !== ''),
        ['.git', 'Makefile', '.git', 'Makefile'],
      );
      assert.equal(readdirSync(join(rig.base, 'copy')).sort(), ['.git', 'Makefile']);
    });
  });
}

suite('The project of a build', (test) => {
  test('is the one above whose master waits, or that was built before', async () => {
    await using rig = newRig();
    mkdirSync(join(rig.project, 'lib'));
    const makefile = 'all: ; @sed s/a/b/ Makefile > ../made\n';
    for (const dir of ['', 'lib']) writeFileSync(join(rig.project, dir, 'Makefile'), makefile);
    const lib = join(rig.project, 'lib');
    rig.env['TERMITE_IDLE_SECONDS'] = '60';
    await rig.report(['make'], { cwd: rig.project });
    const joined = await rig.report(['make'], { cwd: lib });
    assert.equal([joined.report.remote, joined.report.local], [1, 0], joined.stderr);
    assert.match((await rig.termite(['status'], { cwd: lib })).stdout, new RegExp(`root +${rig.project} `));
    await rig.termite(['stop'], { cwd: lib });
    const known = await rig.report(['make'], { cwd: lib });
    assert.equal([known.report.cached, known.report.local], [1, 0], known.stderr);
    await rig.termite(['stop']);
  });

  test('is not above the repository that the current folder is in', async () => {
    await using rig = newRig();
    mkdirSync(join(rig.project, 'vendor/.git'), { recursive: true });
    for (const dir of ['', 'vendor'])
      writeFileSync(join(rig.project, dir, 'Makefile'), 'all: ; @sed s/a/b/ Makefile > made\n');
    await rig.report(['make']);
    const { stdout } = await rig.termite(['log', '--root', join(rig.project, 'vendor')]);
    assert.is(stdout, '');
    await rig.report(['make'], { cwd: join(rig.project, 'vendor') });
    assert.match((await rig.termite(['log', '--root', join(rig.project, 'vendor')])).stdout, /^#1 /);
  });

  test('is another one when another folder took its place', async () => {
    await using rig = newRig();
    await using _master = await rig.daemon(['master'], /ready/);
    assert.ok(existsSync(rig.socketPath));
    renameSync(rig.project, `${rig.project}.old`);
    mkdirSync(rig.project);
    assert.match((await rig.termite(['status'])).stderr, /No master runs for/);
  });
});

suite('A program without $TERMITE_SOCKET', (test) => {
  const argv = [launcher, 'sh', '-c', countProcesses];

  test('finds the master of the nearest project above', async () => {
    await using rig = newRig();
    await using _master = await rig.daemon(['master'], /ready/);
    const below = join(rig.project, 'a/b');
    mkdirSync(below, { recursive: true });
    assert.ok(Number((await rig.run(argv, { cwd: below })).stdout) < 10);
    const elsewhere = { ...rig.env, XDG_CACHE_HOME: join(rig.base, 'other') };
    assert.ok(Number((await rig.run(argv, { cwd: below, env: elsewhere })).stdout) >= 10);
  });

  test('finds one of another cache that was asked to be found in the project', async () => {
    await using rig = newRig();
    const socket = join(rig.project, '.termite-socket');
    const elsewhere = { ...rig.env, XDG_CACHE_HOME: join(rig.base, 'other') };
    {
      await using _master = await rig.daemon(['master', '--socket-in-project'], /ready/);
      assert.ok(existsSync(socket));
      assert.ok(Number((await rig.run(argv, { env: elsewhere })).stdout) < 10);
      assert.match((await rig.termite(['status'], { env: elsewhere })).stdout, /^master +\d+\n/);
    }
    assert.not(existsSync(socket));
  });
});
