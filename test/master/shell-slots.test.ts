import type { ChildProcess } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { runCommand } from '../rigs/command.ts';
import { hanging } from './dispatcher-rig.ts';
import { masterServerRig } from './master-server-rig.ts';

const ownShell = resolve(import.meta.dirname, '../../..', 'native/build/libexec/sh');

/** make with one local slot, in a project where a rule keeps all lines that begin with ":" here. */
async function oneSlotRig() {
  if (!existsSync(ownShell)) skip(`${ownShell} is not built`);
  const rig = await masterServerRig(hanging, { localSlotCount: 1 });
  const { dir } = rig;
  dir.write(
    '.termite-localrc',
    '[{ "Regexp": "^: joins", "Local": true, "Recurse": true }, { "Regexp": "^:", "Local": true }]',
  );
  // Fails when another one is in it at the same time.
  dir.write('alone', '#!/bin/sh\nmkdir taken || exit 9\nsleep 0.05\nrmdir taken\n', { mode: 0o755 });
  const env = { ...process.env, TERMITE_SOCKET: rig.socketPath, TERMITE_SHELL: '/bin/sh' };
  const run = (argv: string[], started: (child: ChildProcess) => void = () => {}) =>
    runCommand(argv, { cwd: dir.path, env, started });
  const make = (makefile: string, ...args: string[]) => {
    dir.write('Makefile', makefile);
    return run(['make', `SHELL=${ownShell}`, ...args]);
  };
  /** All slots have come back: the kernel tells of the end of a process, not of what it has left. */
  const mustBeFree = async () => {
    const noProcess = 2 ** 22 + 1;
    assert.ok(await rig.localSlots.grant({ processId: noProcess, env: [] }, new AbortController().signal));
  };
  return { ...rig, make, run, mustBeFree };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2));
}

suite('Local slots and the shell', (test) => {
  test('let as many local commands run at a time as there are slots', async () => {
    await using rig = await oneSlotRig();
    const names = Array.from({ length: 12 }, (_, index) => `t${index}`).join(' ');
    const { status, stderr } = await rig.make(`all: ${names}\n${names}: ; @: $@; ./alone\n`, '-j12');
    assert.equal([status, stderr], [0, '']);
    await rig.mustBeFree();
  });

  test('come back after failures and deaths', async () => {
    await using rig = await oneSlotRig();
    const makefile = [
      'all: fails dies missing empty',
      'fails: ; @: $@; exit 3',
      'dies: ; @: $@; kill -KILL $$$$',
      'missing: ; @: $@; exec ./no-such-program',
      'empty: ; @: $@',
    ];
    const { status, stderr } = await rig.make(`${makefile.join('\n')}\n`, '-k', '-j4');
    assert.is(status, 2);
    assert.match(stderr, /Error 3/);
    assert.match(stderr, /Killed/);
    await rig.mustBeFree();
  });

  test('are not kept by what a command leaves running', async () => {
    await using rig = await oneSlotRig();
    const makefile = 'all: a b\na b: ; @: $@; sleep 1000 >/dev/null 2>&1 & echo $$! >$@.pid\n';
    assert.is((await rig.make(makefile, '-j2')).status, 0);
    try {
      await rig.mustBeFree();
    } finally {
      for (const name of ['a', 'b']) process.kill(Number(rig.dir.read(`${name}.pid`)));
    }
  });

  test('are shared with what a command starts', async () => {
    await using rig = await oneSlotRig();
    // What the outer one starts asks the master, which keeps it here, because it cannot be sent away.
    rig.fakes.pool.remove('fake');
    const { status, stdout } = await rig.run([ownShell, '-c', `${ownShell} -c 'expr 1 + 1'`]);
    assert.equal([status, stdout], [0, '2\n']);
    await rig.mustBeFree();
  });

  test('are not wanted by what only starts others, nor by trifles', async () => {
    await using rig = await oneSlotRig();
    const inner = `${ownShell} -c ': inner; ./alone'`;
    const { status, stderr } = await rig.make(
      `all: a b\na b: ; @: joins; ${inner.replaceAll('$', '$$')}; touch $@\n`,
      '-j2',
    );
    assert.equal([status, stderr], [0, '']);
    await rig.mustBeFree();
  });

  test('are forgotten by commands that are cancelled while they wait', async () => {
    await using rig = await oneSlotRig();
    const holder = rig.run([ownShell, '-c', ': holds; touch held; while test -e held; do sleep 0.01; done']);
    await until(() => existsSync(rig.dir.join('held')));
    let child: ChildProcess | undefined;
    const waiting = rig.run([ownShell, '-c', ': waits; touch never'], (started) => (child = started));
    await until(() => rig.sessions.of([]).runningCount === 1);
    child!.kill('SIGTERM');
    assert.is((await waiting).status, 'SIGTERM');
    rmSync(rig.dir.join('held'));
    assert.is((await holder).status, 0);
    await rig.mustBeFree();
    assert.not(existsSync(rig.dir.join('never')));
  });
});
