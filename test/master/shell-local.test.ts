import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { runCommand } from '../rigs/command.ts';
import { hanging } from './dispatcher-rig.ts';
import { masterServerRig } from './master-server-rig.ts';

const ownShell = resolve(import.meta.dirname, '../../..', 'native/build/libexec/sh');

/** What make has to say of the shell that it was given. */
const ofTheShell = /^(?:SHELL|MAKEFLAGS|MAKEOVERRIDES|MFLAGS|TERMITE_\w+)=.*\n/gm;

/** A project where everything runs locally. */
async function localRig() {
  if (!existsSync(ownShell)) skip(`${ownShell} is not built`);
  const rig = await masterServerRig(hanging);
  const { dir } = rig;
  dir.write('.termite-localrc', '[{"Regexp": "", "Local": true}]');
  const script = (name: string, text: string, mode = 0o755) => dir.write(name, text, { mode });
  script('sub/parent', '#!/bin/sh\ncat /proc/$PPID/comm\n');
  script('sub/die', '#!/bin/sh\nkill -KILL $$\n');
  script('sub/fail', '#!/bin/sh\nexit 42\n');
  script('sub/no-format', 'echo "no format: $0 $1"\n');
  script('sub/not-executable', '#!/bin/sh\n', 0o644);
  script('sub/bad-interpreter', '#!/no/such/program\n');

  /** make in `sub`, with $PWD still that of its parent; the line of the makefile is the only one. */
  const make = async (shell: string | undefined, line: string, beginning = '') => {
    dir.write('sub/Makefile', `${beginning}\nall: ; @${line}\n`);
    const override = shell === undefined ? [] : [`SHELL=${shell === 'own' ? ownShell : shell}`];
    const env = {
      ...{ PATH: process.env['PATH'], PWD: dir.path, OLDPWD: '/usr', SHLVL: '3', _: '/x', B: 'b', A: 'a' },
      ...(shell === 'own' && { TERMITE_SOCKET: rig.socketPath, TERMITE_SHELL: '/bin/sh' }),
    };
    const outcome = await runCommand(['make', '-C', 'sub', '--no-print-directory', ...override], {
      cwd: dir.path,
      env,
    });
    return { ...outcome, stdout: outcome.stdout.replaceAll(ofTheShell, '') };
  };
  return { ...rig, make };
}

suite('The shell, for a line that runs locally', (test) => {
  const asPlainMake = [
    './parent',
    'env',
    'printenv PWD',
    'printenv IFS',
    "echo 'a\\nb' \\\\c 'd  e'",
    "printf '%s|' a 'b c' ''",
    './die',
    './fail',
    './no-format x',
    'kill -l 9',
    'pwd',
    'cat /proc/self/cmdline',
    './parent; ./parent',
    'cd /; pwd',
    'test -e Makefile',
    'A=c env',
    'true',
    'false',
  ];
  for (const line of asPlainMake) {
    test(`does what plain make does: ${line}`, async () => {
      await using rig = await localRig();
      const expected = await rig.make(undefined, line);
      assert.equal(await rig.make('own', line), expected);
      assert.equal(await rig.make('own', line, '.POSIX:'), expected);
    });
  }

  for (const line of [
    'no-such-program x',
    './no-such-program',
    './not-executable',
    './bad-interpreter',
    './',
    '/',
  ]) {
    test(`lets the real shell complain about ${line}`, async () => {
      await using rig = await localRig();
      const expected = await rig.make('/bin/dash', line);
      const { status, stderr } = await rig.make('own', line);
      assert.equal([status, stderr.replaceAll('/bin/sh', '/bin/dash')], [expected.status, expected.stderr]);
    });
  }

  test('gives a program the environment that its rule wants, and looks for it there', async () => {
    await using rig = await localRig();
    const path = `${rig.dir.join('sub')}:${process.env['PATH']}`;
    const rule = { Regexp: '', Local: true, Env: { Unset: ['B'], Set: { A: 'given', PATH: path } } };
    rig.dir.write('.termite-localrc', JSON.stringify([rule]));
    assert.is((await rig.make('own', 'parent')).stdout, 'make\n');
    const variables = (await rig.make('own', 'env')).stdout.split('\n');
    assert.equal(
      variables.filter((variable) => /^[AB]=/.test(variable)),
      ['A=given'],
    );
  });

  test('starts the real shell for options that are the shell’s', async () => {
    await using rig = await localRig();
    assert.is((await rig.make('own', './parent', '.SHELLFLAGS = -e -c')).stdout, 'sh\n');
  });

  test('starts the real shell when it is not the one that make knows', async () => {
    await using rig = await localRig();
    const env = { ...process.env, TERMITE_SOCKET: rig.socketPath, TERMITE_SHELL: '/bin/bash' };
    rig.dir.write('Makefile', 'all: ; @printenv _\n');
    const { stdout } = await runCommand(['make', `SHELL=${ownShell}`], { cwd: rig.dir.path, env });
    assert.match(stdout, /^\/.*\/printenv\n$/);
  });

  test('starts the real shell for what does not come from make', async () => {
    await using rig = await localRig();
    const env = { ...process.env, TERMITE_SOCKET: rig.socketPath, PWD: '/' };
    const options = { cwd: rig.dir.path, env };
    assert.is((await runCommand([ownShell, '-c', 'printenv PWD'], options)).stdout, `${rig.dir.path}\n`);
  });
});
