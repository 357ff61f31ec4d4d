import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lchownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { servingSocketPath } from '../../master/socket-path.ts';
import { type Report, reportSchema } from '../../protocol/control.ts';
import { projectStateDir } from '../../runtime/cache-dir.ts';
import { killIfThere, makeTestFolder, removeTree } from '../harness/leftovers.ts';
import { patience } from '../harness/slowness.ts';
import { currentTest } from '../harness/test-context.ts';
import { type CommandOptions, type CommandOutcome, runCommand } from './command.ts';
import { asUser, ordinaryId, type User } from './user.ts';

const packageRoot = resolve(import.meta.dirname, '../../..');
/** The script of the command line. */
export const termiteProgram = join(packageRoot, 'dist/wrapper/main.js');

/** The words that run the program. */
export const termiteCommand: readonly string[] = [process.execPath, termiteProgram];

/** The program as it is installed, which looks for Node on the PATH. */
export const termiteEntry = join(packageRoot, 'native/build/termite');

/** The shell that make is given. */
export const nativeShell = join(packageRoot, 'native/build/libexec/sh');

export interface TermiteOptions extends Partial<CommandOptions> {
  /** Words of a command that runs the program, e.g. a shell that joins its stdout and stderr. */
  through?: readonly string[];
}

/**
 * A project folder with a private cache, and the program itself as its user would run it. Closing it asserts that no
 * process of ours outlived its command and removes everything.
 */
export class TermiteRig implements AsyncDisposable {
  readonly user: User;
  readonly base: string;
  readonly project: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(user: User = 'root', options: { below?: string } = {}) {
    this.user = user;
    this.base = makeTestFolder('rig', options.below ?? tmpdir());
    this.project = join(this.base, 'project');
    const home = join(this.base, 'home');
    for (const dir of [this.project, home]) mkdirSync(dir);
    // A test that failed or missed its deadline may not have come to the point where it ends what it started.
    currentTest()?.onEnd(({ failed }) => {
      if (failed) this.#abandon();
    });
    this.give(this.base);
    const { MAKEFLAGS: _1, MAKELEVEL: _2, TERMITE_SOCKET: _3, ...inherited } = process.env;
    this.env = {
      ...inherited,
      ...{ HOME: home, XDG_CACHE_HOME: join(this.base, 'cache'), LC_ALL: 'C' },
      // What a build leaves running would be taken for a leftover.
      TERMITE_IDLE_SECONDS: '0',
    };
  }

  /** Makes a folder, with all that it holds, the property of the rig's user. */
  give(dir: string): void {
    if (this.user === 'root' || process.getuid?.() !== 0) return;
    for (const entry of ['', ...readdirSync(dir, { recursive: true, encoding: 'utf8' })]) {
      lchownSync(join(dir, entry), ordinaryId, ordinaryId);
    }
  }

  /** Of the master that serves the project. */
  get socketPath(): string {
    return servingSocketPath(projectStateDir(this.env, this.project), this.project);
  }

  /** A plain command in the project, as the rig's user. */
  run(argv: readonly string[], options: Partial<CommandOptions> = {}): Promise<CommandOutcome> {
    return runCommand(asUser(this.user, argv), { cwd: this.project, env: this.env, ...options });
  }

  /** `termite ARGS…` in the project, as the rig's user. */
  termite(
    args: readonly string[],
    { through = [], ...options }: TermiteOptions = {},
  ): Promise<CommandOutcome> {
    return this.run([...through, process.execPath, termiteProgram, ...args], options);
  }

  /** `termite ARGS…` and its report. */
  async report(
    args: readonly string[],
    options: TermiteOptions = {},
  ): Promise<CommandOutcome & { report: Report }> {
    const file = join(this.base, `report-${Math.random().toString(36).slice(2)}.json`);
    const env = { ...this.env, ...options.env, TERMITE_REPORT: file };
    const outcome = await this.termite(args, { ...options, env });
    if (!existsSync(file))
      throw new Error(
        `No report was written; status ${outcome.status}\n${outcome.stdout}\n${outcome.stderr}`,
      );
    return { ...outcome, report: reportSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) };
  }

  /** `termite master|executor|coordinator ARGS…` in the background until disposed; resolves when `ready` appears on its stderr or stdout. */
  async daemon(args: readonly string[], ready: RegExp, through: readonly string[] = []): Promise<DaemonRig> {
    const [program = '', ...rest] = asUser(this.user, [
      ...through,
      process.execPath,
      termiteProgram,
      ...args,
    ]);
    const child = spawn(program, rest, {
      cwd: this.project,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const daemon = new DaemonRig(child);
    await daemon.said(ready);
    return daemon;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.processesLeft();
    removeTree(this.base);
    if (left.length > 0) throw new Error(`Processes were left behind:\n${left.join('\n')}`);
  }

  /** Leaves nothing, whatever still runs. */
  #abandon(): void {
    this.killProcesses();
    removeTree(this.base);
  }

  /** Ends all processes of this rig. */
  killProcesses(): void {
    for (const pid of this.processes(/./)) killIfThere(pid);
  }

  /** Pids of this rig's processes whose command line matches. */
  processes(pattern: RegExp): number[] {
    return this.#processes().flatMap(({ pid, line }) => (pattern.test(line) ? [pid] : []));
  }

  /** The same, waiting until there is one. */
  async findProcess(pattern: RegExp, patienceMs = patience(10_000)): Promise<number[]> {
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await pause(10)) {
      const pids = this.processes(pattern);
      if (pids.length > 0) return pids;
    }
    throw new Error(`No process matches ${pattern}: ${JSON.stringify(this.#processes())}`);
  }

  /** Waits until there is none. */
  async waitForEnd(pattern: RegExp, patienceMs = patience(10_000)): Promise<void> {
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await pause(10))
      if (this.processes(pattern).length === 0) return;
    throw new Error(`A process still matches ${pattern}: ${JSON.stringify(this.#processes())}`);
  }

  /** Command lines of the processes below `ancestor`. */
  descendants(ancestor: number): string[] {
    const all = this.#processes();
    const isBelow = ({ pid }: { pid: number }) => {
      for (let up = parentOf(pid); up > 1; up = parentOf(up)) if (up === ancestor) return true;
      return false;
    };
    return all.filter(isBelow).map(({ line }) => line);
  }

  #processes() {
    return findProcesses(this.env.XDG_CACHE_HOME ?? '');
  }

  /** Processes whose environment names this rig's cache: everything that our commands started. Given a moment to end. */
  async processesLeft(patienceMs = patience(3000)): Promise<string[]> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const left = this.#processes().map(({ pid, line }) => `${pid} ${line}`);
      if (left.length === 0 || Date.now() > deadline) return left;
      await pause(25);
    }
  }
}

/** A process of ours in the background. */
export class DaemonRig implements AsyncDisposable {
  readonly child: ChildProcess;
  output = '';
  readonly #ended: Promise<void>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.#ended = new Promise((done) => child.on('exit', () => done()));
    child.stdout?.on('data', (chunk) => this.#hear(chunk));
    child.stderr?.on('data', (chunk) => this.#hear(chunk));
  }

  #hear(chunk: Buffer): void {
    this.output += chunk.toString();
    this.child.emit('said');
  }

  /** The first match of `pattern` in what it has printed so far; waits for it. Rejects when it ends before. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output);
      if (match) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(
          `Ended (${this.child.exitCode ?? this.child.signalCode}) before saying ${pattern}:\n${this.output}`,
        );
      }
      await new Promise<void>((wake) => {
        this.child.once('said', () => wake());
        this.child.once('exit', () => wake());
      });
    }
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

const pause = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0; // ended meanwhile
  }
}

function findProcesses(marker: string): { pid: number; line: string }[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`XDG_CACHE_HOME=${marker}`)) return [];
        return [
          { pid: Number(pid), line: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ') },
        ];
      } catch {
        return []; // ended meanwhile
      }
    });
}
