import { copyFileSync, cpSync, existsSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { mustRun } from '../rigs/command.ts';
import { nativeShell, TermiteRig } from '../rigs/termite.ts';
import { asUser, availableUsers, needPrograms, sandboxObstacle, type User } from '../rigs/user.ts';

const launcher = join(nativeShell, '../../termite-launcher');
const cmakeProject = resolve(import.meta.dirname, '../../../test/fixtures/cmake');

function newRig({ needsSandbox = true, user = 'root' as User } = {}): TermiteRig {
  const obstacle = needsSandbox ? sandboxObstacle() : undefined;
  if (obstacle) skip(obstacle, 'fuse');
  return new TermiteRig(user);
}

for (const user of availableUsers()) {
  suite(`termite-launcher as ${user} user`, (test) => {
    /** Sets of options, and how many commands they bring to the master. */
    const launchers: [options: string[], remote: number][] = [
      [['-DCMAKE_C_COMPILER_LAUNCHER=LAUNCHER', '-DCMAKE_CXX_COMPILER_LAUNCHER=LAUNCHER'], 3],
      [['-DCMAKE_C_LINKER_LAUNCHER=LAUNCHER', '-DCMAKE_CXX_LINKER_LAUNCHER=LAUNCHER'], 2],
      // An archive is three commands, words.h one.
      [['-DLAUNCHER=LAUNCHER'], 9],
    ];
    for (const [options, remote] of launchers) {
      const title = options.map((option) => option.split('=', 1)[0]!.slice(2)).join(' and ');
      test(`is called by CMake for ${title === 'LAUNCHER' ? 'RULE_LAUNCH_*' : title}`, async () => {
        needPrograms('cmake', 'ninja');
        await using rig = newRig({ user });
        cpSync(cmakeProject, rig.project, { recursive: true });
        // Not known as a build tool by this name: then its shells do not ask, and only the launcher is left to do it.
        const { stdout } = await mustRun(['sh', '-c', 'command -v ninja'], { cwd: rig.project });
        copyFileSync(stdout.trim(), join(rig.project, 'builder'));
        rig.give(rig.project);
        const configure = ['cmake', '-G', 'Ninja', '-B', 'build', '.'];
        const given = options.map((option) => option.replace('=LAUNCHER', `=${launcher}`));
        await mustRun(asUser(user, [...configure, ...given]), { cwd: rig.project, env: rig.env });
        const {
          status,
          report,
          stderr,
          stdout: said,
        } = await rig.report(['build', './builder', '-C', 'build']);
        assert.is(status, 0, said + stderr);
        assert.equal([report.remote, report.local], [remote, 0], said + stderr);
        assert.is((await rig.run(['build/main'])).stdout, 'HELLO\n');
      });
    }
  });
}

suite('termite-launcher', (test) => {
  /** What any program would do. */
  const ends: [argv: string[], status: number | string, stdout?: string, stderr?: string][] = [
    [['expr', '2', '+', '2'], 0, '4\n'],
    [['sh', '-c', 'exit 7'], 7],
    [['sh', '-c', 'kill -KILL $$'], 'SIGKILL'],
    [['no-such-program'], 127, '', 'termite: exec "no-such-program": No such file or directory\n'],
    [[], 125, '', 'termite: usage: termite-launcher PROGRAM [ARGUMENTS...]\n'],
  ];
  for (const [argv, status, stdout = '', stderr = ''] of ends) {
    test(`is "${argv.join(' ')}" where there is no master`, async () => {
      await using rig = newRig({ needsSandbox: false });
      assert.equal(await rig.run([launcher, ...argv]), { status, stdout, stderr });
    });
  }

  test('asks a master that runs, and goes on without it', async () => {
    await using rig = newRig();
    const inSandbox = [launcher, 'sh', '-c', 'ls -d /proc/[0-9]* | wc -l'];
    {
      await using _master = await rig.daemon(['master'], /ready/);
      assert.ok(Number((await rig.run(inSandbox)).stdout) < 10);
    }
    assert.ok(Number((await rig.run(inSandbox)).stdout) >= 10);
  });
});

suite('termite masquerade', (test) => {
  const main = 'int main(void) { return 0; }\n';

  async function masqueraded(rig: TermiteRig, ...names: string[]): Promise<NodeJS.ProcessEnv> {
    const { status, stdout, stderr } = await rig.termite(['masquerade', 'bin', ...names]);
    assert.equal([status, stdout], [0, `export PATH="${join(rig.project, 'bin')}:$PATH"\n`], stderr);
    return { ...rig.env, PATH: `${join(rig.project, 'bin')}:${rig.env['PATH']}` };
  }

  test('makes links, once, and nothing in the place of something else', async () => {
    await using rig = newRig({ needsSandbox: false });
    await masqueraded(rig, 'gcc', 'cc');
    await masqueraded(rig, 'cc', 'c++');
    for (const name of ['gcc', 'cc', 'c++'])
      assert.is(readlinkSync(join(rig.project, 'bin', name)), launcher);
    writeFileSync(join(rig.project, 'bin/clang'), '');
    symlinkSync('elsewhere', join(rig.project, 'bin/tcc'));
    for (const name of ['clang', 'tcc']) {
      const { status, stderr } = await rig.termite(['masquerade', 'bin', 'g++', name]);
      assert.is(status, 125);
      assert.match(stderr, new RegExp(`bin/${name}": there is something of that name`));
    }
    for (const args of [[], ['bin'], ['bin', 'a/b'], ['bin', '-x']])
      assert.is((await rig.termite(['masquerade', ...args])).status, 125, args.join(' '));
  });

  test('gives programs that ask, by the whole path of the real ones', async () => {
    await using rig = newRig();
    writeFileSync(join(rig.project, 'main.c'), main);
    const env = await masqueraded(rig, 'cc', 'env');
    const script = 'cc -c main.c && cc -o main main.o && env';
    const { status, stdout, report, stderr } = await rig.report(['build', 'sh', '-c', script], { env });
    assert.equal([status, report.remote, report.local], [0, 3, 0], stderr);
    assert.match(stdout, `\nPATH=${rig.env['PATH']}\n`);
    const log = await rig.termite(['log']);
    assert.match(log.stdout, / \/\S+\/cc -c main\.c$/m);
    assert.is((await rig.run(['./main'])).status, 0);
  });

  test('does not stand between a remote command and its compiler', async () => {
    await using rig = newRig();
    writeFileSync(join(rig.project, 'main.c'), main);
    writeFileSync(join(rig.project, 'Makefile'), 'main: main.c; cc -o $@ $<; sh -c "echo \\$$0"\n');
    const env = await masqueraded(rig, 'cc', 'sh');
    const { status, stdout, report, stderr } = await rig.report(['make', '-s'], { env });
    assert.equal([status, stdout, report.remote, report.local], [0, 'sh\n', 1, 0], stderr);
    assert.ok(existsSync(join(rig.project, 'main')));
  });

  test('gives the next program of the name where there is no master', async () => {
    await using rig = newRig({ needsSandbox: false });
    const env = await masqueraded(rig, 'sh', 'no-such-program');
    const real = await rig.run(['sh', '-c', 'echo $0 $PATH; exit 3']);
    assert.equal(await rig.run(['sh', '-c', 'echo $0 $PATH; exit 3'], { env }), real);
    const missing = await rig.run([join(rig.project, 'bin/no-such-program')], { env });
    assert.equal(
      [missing.status, missing.stderr],
      [127, 'termite: no other "no-such-program" is on the PATH\n'],
    );
  });
});
