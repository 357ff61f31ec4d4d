import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Report } from '../../protocol/control.ts';
import { skip } from '../harness/suite.ts';
import type { CommandOutcome } from './command.ts';
import { type DaemonRig, TermiteRig } from './termite.ts';
import { differences, readTree } from './tree.ts';
import { sandboxObstacle } from './user.ts';

export interface Build {
  /** Path → content; the Makefile is one of them. What begins with `#!` can be executed; `path/` is an empty folder. */
  files: Readonly<Record<string, string>>;
  /** make's; unless told one command at a time, so that the order of the output can be compared. */
  args?: readonly string[];
  /** Bytes for make's stdin. */
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** Commands may end in any order: only the set of lines is compared. */
  anyOrder?: boolean;
  /** The makefile says itself which shell it wants; else plain make is given one, as Termite gives it one. */
  choosesShell?: boolean;
}

export interface BuildOutcome extends CommandOutcome {
  report: Report;
  dir: string;
}

/**
 * Not the name that make knows, so that make starts a shell for each line, as it does for Termite; otherwise it starts
 * simple commands itself, with messages of its own. It differs in messages only where it is taken out again.
 */
const otherShell = '//bin/sh';

/** Runs builds plainly and by Termite in the same folder and demands that all they leave and say is equal. */
export class SideBySide implements AsyncDisposable {
  readonly rig: TermiteRig;
  readonly #master: DaemonRig;

  private constructor(rig: TermiteRig, master: DaemonRig) {
    this.rig = rig;
    this.#master = master;
  }

  /** With one master for all its builds. */
  static async start(): Promise<SideBySide> {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    const rig = new TermiteRig();
    return new SideBySide(rig, await rig.daemon(['master'], /ready/));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#master.end();
    await this.rig[Symbol.asyncDispose]();
  }

  /** @returns what both did; asserts that they did the same, and that nothing of ours failed */
  async build(name: string, { files, args = ['-j1'], ...build }: Build): Promise<BuildOutcome> {
    const dir = join(this.rig.project, name.replace(/[^\w.-]+/g, '-'));
    const options = { cwd: dir, input: build.input ?? '', env: { ...this.rig.env, ...build.env } };
    fill(dir, files);
    const plain = await this.rig.run(
      ['make', ...(build.choosesShell ? [] : [`SHELL=${otherShell}`]), ...args],
      options,
    );
    const plainTree = readTree(dir);
    fill(dir, files);
    const { report, ...termite } = await this.rig.report(['make', ...args], options);
    assert.equal(comparable(termite, build.anyOrder), comparable(plain, build.anyOrder));
    assert.equal(differences(plainTree, readTree(dir)), []);
    assert.equal([report.fallbacks, report.conflicts], [0, 0], termite.stderr);
    return { ...plain, report, dir };
  }
}

function fill(dir: string, files: Build['files']): void {
  rmSync(dir, { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) {
    const file = join(dir, path);
    mkdirSync(path.endsWith('/') ? file : dirname(file), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(file, content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
}

function comparable({ status, stdout, stderr }: CommandOutcome, anyOrder = false): CommandOutcome {
  const text = (said: string) => {
    const lines = said
      .replace(/^termite: .*\n/gm, '')
      .replaceAll(otherShell, '/bin/sh')
      .split('\n');
    return (anyOrder ? lines.sort() : lines).join('\n');
  };
  return { status, stdout: text(stdout), stderr: text(stderr) };
}
