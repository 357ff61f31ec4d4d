import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import type { CommandOptions } from '../rigs/command.ts';
import { nativeShell, TermiteRig } from '../rigs/termite.ts';
import { availableUsers, type User, withoutNamespaces } from '../rigs/user.ts';

const stage = join(nativeShell, '../../termite-stage');
const standIn = join(nativeShell, '../stand-in');

/** Runs programs in the rig's project where the shells are covered; no master is there. */
class StageRig extends TermiteRig {
  readonly shells: string;

  constructor(user: User) {
    super(user);
    this.shells = join(this.base, 'shells');
    mkdirSync(this.shells);
    this.give(this.base);
  }

  onStage(argv: readonly string[], options: Partial<CommandOptions> = {}) {
    return this.run([stage, standIn, this.shells, ...argv], options);
  }

  script(name: string, text: string): void {
    writeFileSync(join(this.project, name), text);
    chmodSync(join(this.project, name), 0o755);
    this.give(this.project);
  }
}

/** How shells are started by others than build tools: all must be as it is without us. */
const uses: [name: string, argv: string[], input?: string][] = [
  ['a line', ['/bin/sh', '-c', 'echo $0 "$@"; exit 7', 'name', 'a b', 'c']],
  ['a shell by its bare name', ['sh', '-c', 'ls ./missing; echo $0']],
  ['an error message', ['/bin/sh', '-c', './missing']],
  ['bash, which is not sh', ['bash', '-c', 'echo $BASH $BASH_VERSION $0; shopt -o posix']],
  ['bash as a login shell', ['/bin/bash', '-lc', 'shopt login_shell; echo $0']],
  ['a name without meaning', ['bash', '-c', 'exec -a "-odd" /bin/sh -c "echo \\$0"']],
  ['a script', ['./script', 'a b', 'c']],
  ['a script for bash', ['./bash-script', 'a b', 'c']],
  ['a script named as a shell', ['./sh']],
  ['a script as an argument', ['sh', './script', 'x']],
  ['a script on stdin', ['sh', '-s', 'x'], 'echo $1; cat\nrest\n'],
  ['no environment', ['env', '-i', '/bin/sh', '-c', 'env; echo $$ | tr 0-9 n | tr -s n']],
  ['an environment with IFS', ['env', 'IFS=,', 'perl', '-e', 'print $ENV{IFS}, `echo a,b; env | grep IFS`']],
  ['system(3)', ['perl', '-e', 'print system("exit 3; :") >> 8, "\\n"']],
  ['death by a signal', ['sh', '-c', 'kill -KILL $$']],
  ['the name of the process', ['/bin/sh', '-c', 'ps -o comm= -p $$; :']],
  ['descriptors', ['sh', '-c', 'ls /proc/$$/fd; :']],
];

for (const user of availableUsers()) {
  suite(`Shells below build tools, as ${user} user`, (test) => {
    for (const [name, argv, input] of uses) {
      test(`are themselves for others: ${name}`, async () => {
        await using rig = new StageRig(user);
        rig.script('script', '#!/bin/sh -e\necho "$0" "$@"; false; echo unreached\n');
        rig.script('bash-script', '#!/bin/bash\necho "$0" "$@" $BASH_VERSION $BASH\n');
        rig.script('sh', '#!/usr/bin/env bash\necho $BASH_VERSION\n');
        const options = input === undefined ? {} : { input };
        const plain = await rig.run(argv, options);
        assert.equal(await rig.onStage(argv, options), plain);
      });
    }

    test('are covered, seen from inside only, and once in a build within a build', async () => {
      await using rig = new StageRig(user);
      const mounts = ['grep', '-o', 'termite-shells', '/proc/self/mountinfo'];
      const once = await rig.onStage(mounts);
      assert.match(once.stdout, /^(termite-shells\n){2,}$/);
      assert.equal(await rig.onStage([stage, standIn, rig.shells, ...mounts]), once);
      assert.is((await rig.run(mounts)).stdout, '');
      const compared = await rig.onStage(['cmp', '-s', '/bin/sh', join(rig.shells, '0/sh')]);
      assert.is(compared.status, 1);
    });

    test('work where the real ones are out of sight', async () => {
      await using rig = new StageRig(user);
      const hide = 'mount -t tmpfs none "$0" && exec /bin/sh -c \'echo "$0" "$@"; ./missing\' name x';
      const inside = ['unshare', '--user', '--map-root-user', '--mount', 'bash', '-c', hide, rig.shells];
      const { stdout, stderr, status } = await rig.onStage(inside);
      assert.equal([stdout, stderr, status], ['name x\n', 'name: 1: ./missing: not found\n', 127]);
    });

    test('are themselves for build tools while there is no master', async () => {
      await using rig = new StageRig(user);
      rig.script('Makefile', 'all: ; @echo a; echo $$0; exit 3\n');
      const plain = await rig.run(['make']);
      assert.equal(await rig.onStage(['make']), plain);
      assert.is(plain.status, 2);
    });

    test('are left alone where namespaces are off, and it is said what would help', async () => {
      await using rig = new StageRig(user);
      const argv = [...withoutNamespaces, stage, standIn, rig.shells, 'sh', '-c', 'echo ran; exit 5'];
      const { status, stdout, stderr } = await rig.run(argv);
      assert.equal([status, stdout], [5, 'ran\n'], stderr);
      assert.match(
        stderr,
        /^termite: nothing will be distributed: no mount namespace: .*user\.max_user_namespaces.*\n$/,
      );
    });

    test('are only tried where there is no program', async () => {
      await using rig = new StageRig(user);
      assert.equal(await rig.onStage([]), { status: 0, stdout: '', stderr: '' });
      const { status, stderr } = await rig.run([...withoutNamespaces, stage, standIn, rig.shells]);
      assert.is(status, 1);
      assert.match(stderr, /^termite: no mount namespace: .*user\.max_user_namespaces.*\n$/);
    });
  });
}

suite('Shells below build tools', (test) => {
  test('work for users that the build becomes', async () => {
    if (!availableUsers().includes('root')) skip('only root becomes somebody else');
    await using rig = new StageRig('root');
    chmodSync(rig.base, 0o700);
    const become = ['setpriv', '--reuid=64321', '--regid=64321', '--clear-groups'];
    const { stdout, stderr } = await rig.onStage([...become, 'sh', '-c', 'id -u; echo $0'], { cwd: '/' });
    assert.equal([stdout, stderr], ['64321\nsh\n', '']);
  });
});
