import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip } from '../harness/suite.ts';
import { mustRun } from '../rigs/command.ts';
import { type DaemonRig, nativeShell, TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { asUser, sandboxObstacle, type User } from '../rigs/user.ts';

const sources = resolve(import.meta.dirname, '../../../test/file-system');
const program = join(import.meta.dirname, 'checks');
execFileSync('gcc', [
  '-D_GNU_SOURCE',
  '-O1',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-o',
  program,
  join(sources, 'checks.c'),
]);
/** The names of all checks. */
export const checkNames = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');

/** What a check prints differently, and why; the tree it leaves has to be equal all the same. README.md tells users. */
const deviations: Record<User, Record<string, string>> = {
  root: {},
  ordinary: {
    hardLinkExistingFile:
      'rootless overlayfs has no index: a new link shows another inode until the command ends',
  },
};

/** One master for all checks: each of them is one command of a build, sent by the shell that make would start. */
export class MirrorRig {
  readonly #user: User;
  #opened: Promise<{ rig: TermiteRig; master: DaemonRig; oracle: string }> | undefined;

  constructor(user: User) {
    this.#user = user;
  }

  async compare(name: string): Promise<void> {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    const { rig, oracle } = await this.#open();
    await this.#fill(rig, oracle);
    await this.#fill(rig, rig.project);
    const env = { ...rig.env, TERMITE_SOCKET: join(rig.project, '.termite-socket') };
    const expected = await rig.run(['/bin/sh', '-c', `./checks ${name}`], { cwd: oracle });
    const actual = await rig.run([nativeShell, '-c', `./checks ${name}`], { env });
    const tree = readTree(rig.project, (path) => path === '.termite-socket');
    if (!deviations[this.#user][name]) assert.is(actual.stdout, expected.stdout, actual.stderr);
    assert.is(actual.status, expected.status, actual.stderr);
    assert.equal(differences(readTree(oracle), tree), []);
  }

  #open() {
    this.#opened ??= (async () => {
      const rig = new TermiteRig(this.#user);
      const oracle = join(rig.base, 'oracle');
      mkdirSync(oracle);
      rig.give(oracle);
      const master = await rig.daemon(['master', '--root', rig.project], /ready/);
      return { rig, master, oracle };
    })();
    return this.#opened;
  }

  /**
   * Empties the folder and makes the fixture tree in it, with the checks themselves: no other folder is sure to be there
   * in the sandbox, wherever this repository is.
   */
  async #fill(rig: TermiteRig, dir: string): Promise<void> {
    const script = join(sources, 'fixture.sh');
    const clear = 'find . -mindepth 1 -maxdepth 1 ! -name .termite-socket -exec rm -rf {} +';
    const fill = `${clear}; . ${script}; cp ${program} checks`;
    await mustRun(asUser(this.#user, ['sh', '-c', fill]), { cwd: dir, env: rig.env });
  }

  async close(): Promise<void> {
    const opened = await this.#opened;
    await opened?.master[Symbol.asyncDispose]();
    await opened?.rig[Symbol.asyncDispose]();
  }
}
