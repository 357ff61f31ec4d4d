import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandRecord, commandRecordSchema } from '../protocol/build-log.ts';
import { type Report, reportSchema } from '../protocol/control.ts';
import { Daemons } from './daemons.ts';
import { type Run, runCommand } from './run-command.ts';

const termiteProgram = fileURLToPath(new URL('../wrapper/main.js', import.meta.url));

export interface BuilderOptions {
  /** What builds, and by Termite what follows its name: `make` unless told. */
  build?: readonly string[];
  /** As they follow it, `-jN` included. */
  makeArgs: readonly string[];
  /** Makes coordinator, executor (with so many slots) and master processes of their own, started before the clock. */
  daemonSlots?: number | undefined;
}

export interface TermiteRun extends Run {
  report: Report;
}

/**
 * Builds a project folder, plainly or through Termite, with the same arguments and environment. Termite's state
 * (its store and stat cache) lives in a temporary folder, which goes when the builder is closed.
 */
export class Builder implements AsyncDisposable {
  readonly #dir: string;
  readonly #build: readonly string[];
  readonly #stateDir: string;
  readonly #daemonSlots: number | undefined;
  #daemons: Daemons | undefined;

  private constructor(dir: string, options: BuilderOptions, stateDir: string) {
    this.#dir = dir;
    this.#build = [...(options.build ?? ['make']), ...options.makeArgs];
    this.#daemonSlots = options.daemonSlots;
    this.#stateDir = stateDir;
  }

  static async create(dir: string, options: BuilderOptions): Promise<Builder> {
    return new Builder(dir, options, await mkdtemp(join(tmpdir(), 'termite-bench-')));
  }

  /** @throws Error when the build fails */
  plain(): Promise<Run> {
    return runCommand(this.#build, { cwd: this.#dir, env: this.#environment({}) });
  }

  /**
   * @param variables the environment to build in, beside PATH and HOME; ours unless told
   * @throws Error when the build fails, or writes no report
   */
  async termite(variables?: Readonly<Record<string, string>>): Promise<TermiteRun> {
    const reportFile = join(this.#stateDir, 'report.json');
    const cacheDir = join(this.#stateDir, 'cache');
    await mkdir(cacheDir, { recursive: true });
    if (this.#daemonSlots !== undefined) {
      this.#daemons ??= await Daemons.start(termiteProgram, {
        projectDir: this.#dir,
        stateDir: cacheDir,
        slots: this.#daemonSlots,
      });
    }
    const { PATH, HOME } = process.env;
    const settings = { TERMITE_REPORT: reportFile, XDG_CACHE_HOME: cacheDir };
    const run = await runCommand([process.execPath, termiteProgram, ...this.#build], {
      cwd: this.#dir,
      env: variables ? { PATH, HOME, ...variables, ...settings } : this.#environment(settings),
    });
    const report = reportSchema.parse(JSON.parse(await readFile(reportFile, 'utf8')));
    await rm(reportFile);
    return { ...run, report };
  }

  /** What became of the commands of the last build. */
  async log(): Promise<CommandRecord[]> {
    const { output } = await runCommand([process.execPath, termiteProgram, 'log', '--json'], {
      cwd: this.#dir,
      env: this.#environment({ XDG_CACHE_HOME: join(this.#stateDir, 'cache') }),
    });
    const lines = output.trimEnd().split('\n');
    return lines.map((line) => commandRecordSchema.parse(JSON.parse(line)));
  }

  /** `termite run ARGV…`. @throws Error when the command fails */
  run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
    const XDG_CACHE_HOME = join(this.#stateDir, 'cache');
    return runCommand([process.execPath, termiteProgram, 'run', ...argv], {
      cwd: this.#dir,
      env: { ...env, XDG_CACHE_HOME },
    });
  }

  /** Ends the master that waits for the next build, if there is one. */
  async stop(): Promise<void> {
    const XDG_CACHE_HOME = join(this.#stateDir, 'cache');
    await runCommand([process.execPath, termiteProgram, 'stop'], {
      cwd: this.#dir,
      env: this.#environment({ XDG_CACHE_HOME }),
    }).catch((error: Error) => {
      if (!error.message.includes('No master runs')) throw error;
    });
  }

  /** Forgets everything that Termite knows, so that the next build is a cold one. */
  async forget(): Promise<void> {
    await this.#daemons?.[Symbol.asyncDispose]();
    this.#daemons = undefined;
    await this.stop();
    // A master that has been stopped may still look after its store.
    await rm(join(this.#stateDir, 'cache'), { recursive: true, force: true, maxRetries: 10 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forget();
    await rm(this.#stateDir, { recursive: true, force: true });
  }

  /** The caller's environment, without what a make around us would pass on to ours. */
  #environment(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const { MAKEFLAGS, MFLAGS, MAKELEVEL, MAKEFILES, ...environment } = process.env;
    return { ...environment, ...extra };
  }
}

/** The folder of the repository. */
export const repositoryDir = dirname(dirname(dirname(termiteProgram)));
