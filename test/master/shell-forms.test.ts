import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { succeed } from '../../runtime/failure.ts';
import { skip, suite } from '../harness/suite.ts';
import { runCommand } from '../rigs/command.ts';
import { masterServerRig } from './master-server-rig.ts';

const ownShell = resolve(import.meta.dirname, '../../..', 'native/build/libexec/sh');

/** A master whose executor answers each command with its arguments. */
async function formsRig(shell: string) {
  if (!existsSync(ownShell)) skip(`${ownShell} is not built`);
  const rig = await masterServerRig(async (job) =>
    succeed(await rig.fakes.manifest({ stdout: job.argv.join('|') })),
  );
  const env = { ...process.env, TERMITE_SOCKET: rig.socketPath, TERMITE_SHELL: shell, ENV: '' };
  const run = (program: string, args: readonly string[], input: string) =>
    runCommand([program, ...args], { cwd: rig.dir.path, env, input });
  return { ...rig, run };
}

suite('The shell, called in any way', (test) => {
  const lines: string[][] = [
    ['-c', 'gcc x'],
    ['-ec', 'gcc x'],
    ['-e', '-c', 'gcc x'],
    ['-e', '-u', '-o', 'pipefail', '-c', 'gcc x'],
    ['-euo', 'pipefail', '-c', 'gcc x'],
    ['+x', '-c', 'gcc x'],
    ['-c', '-e', 'gcc x'],
    ['-c', '--', 'gcc x'],
    ['-c', 'gcc "$@"', 'name', 'first', 'second word'],
    ['-c', 'gcc a\ngcc b\n'],
    ['-c', 'gcc a && \\\n  gcc b'],
    ['--norc', '--noprofile', '-c', 'gcc x'],
  ];
  for (const args of lines) {
    test(`asks the master: ${JSON.stringify(args)}`, async () => {
      await using rig = await formsRig('/bin/bash');
      const { status, stdout, stderr } = await rig.run(ownShell, args, '');
      assert.equal([status, stdout, stderr], [0, ['/bin/bash', ...args].join('|'), '']);
    });
  }

  const scripts: [args: string[], input: string][] = [
    [['script', 'a', 'b c'], ''],
    [['-x', 'script'], ''],
    [['-e', './script', '-c'], ''],
    [[], 'echo "from stdin: $0 $#"; exit 3'],
    [['-s', 'x', 'y'], 'echo "$# $1 $2"'],
    [['-', 'script'], ''],
    [['--', 'script'], ''],
    [['no-such-script'], ''],
    [['-c'], ''],
    [['-Z', '-c', 'gcc x'], ''],
    [['-o', 'no-such-option', '-s'], ''],
  ];
  for (const shell of ['/bin/dash', '/bin/bash']) {
    for (const [args, input] of scripts) {
      test(`is ${shell}: ${JSON.stringify(args)}`, async () => {
        if (!existsSync(shell)) skip(`there is no ${shell}`);
        await using rig = await formsRig(shell);
        rig.dir.write('script', 'echo "script: $0 $# $*"\nfalse\necho after\n', { mode: 0o755 });
        const expected = await rig.run(shell, args, input);
        assert.equal(await rig.run(ownShell, args, input), expected);
        assert.is(rig.fakes.jobs.length, 0);
      });
    }
  }

  test('runs what CONFIG_SHELL and $(SHELL) name in the real shell, as make does below it', async () => {
    await using rig = await formsRig('/bin/dash');
    rig.dir.write('configure', 'test "$CONFIG_SHELL" && exec "$CONFIG_SHELL" "$0.real" "$@"\n', {
      mode: 0o755,
    });
    rig.dir.write('configure.real', 'echo "configured $*"\n');
    rig.dir.write(
      'Makefile',
      'all: ; @+$(SHELL) ./configure --x\nCONFIG_SHELL = $(SHELL)\nexport CONFIG_SHELL\n',
    );
    rig.dir.write('.termite-localrc', '[{ "Regexp": "configure", "Local": true, "Recurse": true }]');
    const plain = await rig.run('make', ['-s', 'SHELL=/bin/dash'], '');
    assert.equal(await rig.run('make', ['-s', `SHELL=${ownShell}`], ''), plain);
  });
});
