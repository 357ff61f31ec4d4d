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

interface Opened {
  rig: TermiteRig;
  master: DaemonRig;
  /** Where checks run without us. */
  oracle: string;
  /** Holds the fixture tree. */
  template: string;
}

/** One master for all checks: each of them is one command of a build, sent by the shell that make would start. */
export class MirrorRig {
  readonly #user: User;
  #opened: Promise<Opened> | undefined;

  constructor(user: User) {
    this.#user = user;
  }

  async compare(name: string): Promise<void> {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    const opened = await this.#open();
    const { rig, oracle } = opened;
    await this.#fill(opened, oracle);
    await this.#fill(opened, rig.project);
    const env = { ...rig.env, TERMITE_SOCKET: rig.socketPath };
    const expected = await rig.run(['/bin/sh', '-c', `./checks ${name}`], { cwd: oracle });
    const actual = await rig.run([nativeShell, '-c', `./checks ${name}`], { env });
    const tree = readTree(rig.project);
    if (!deviations[this.#user][name]) assert.is(actual.stdout, expected.stdout, actual.stderr);
    assert.is(actual.status, expected.status, actual.stderr);
    assert.equal(differences(readTree(oracle), tree), []);
  }

  #open(): Promise<Opened> {
    this.#opened ??= (async () => {
      const rig = new TermiteRig(this.#user);
      const [oracle, template] = [join(rig.base, 'oracle'), join(rig.base, 'template')];
      for (const dir of [oracle, template]) mkdirSync(dir);
      rig.give(rig.base);
      // With the checks themselves: no other folder is sure to be there in the sandbox, wherever this repository is.
      const make = `. ${join(sources, 'fixture.sh')}; cp ${program} checks`;
      await mustRun(asUser(this.#user, ['sh', '-c', make]), { cwd: template, env: rig.env });
      const master = await rig.daemon(['master', '--root', rig.project], /ready/);
      return { rig, master, oracle, template };
    })();
    return this.#opened;
  }

  /** Empties the folder and puts the fixture tree into it. */
  async #fill({ rig, template }: Opened, dir: string): Promise<void> {
    const clear = 'find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +';
    const fill = asUser(this.#user, ['sh', '-c', `${clear}; cp -a "$0/." .`, template]);
    await mustRun(fill, { cwd: dir, env: rig.env });
  }

  async close(): Promise<void> {
    const opened = await this.#opened;
    await opened?.master[Symbol.asyncDispose]();
    await opened?.rig[Symbol.asyncDispose]();
  }
}
