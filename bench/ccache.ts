import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Run, runCommand } from './run-command.ts';

/** make with every compiler behind ccache, whose cache is a folder of our own; both as a user would write it. */
export class Ccache implements AsyncDisposable {
  readonly #dir: string;
  readonly #makeArgs: readonly string[];
  readonly #cacheDir: string;

  private constructor(dir: string, makeArgs: readonly string[], cacheDir: string) {
    this.#dir = dir;
    this.#makeArgs = makeArgs;
    this.#cacheDir = cacheDir;
  }

  /** @throws Error when there is no ccache */
  static async create(dir: string, makeArgs: readonly string[]): Promise<Ccache> {
    await runCommand(['ccache', '--version'], { cwd: dir });
    return new Ccache(dir, makeArgs, await mkdtemp(join(tmpdir(), 'termite-bench-ccache-')));
  }

  /** @throws Error when make fails */
  make(): Promise<Run> {
    const { MAKEFLAGS, MFLAGS, MAKELEVEL, MAKEFILES, ...environment } = process.env;
    return runCommand(['make', 'CC=ccache gcc', 'CXX=ccache g++', ...this.#makeArgs], {
      cwd: this.#dir,
      env: { ...environment, CCACHE_DIR: this.#cacheDir },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#cacheDir, { recursive: true, force: true });
  }
}
