import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateDir } from '../runtime/cache-dir.ts';
import { Token } from '../runtime/token.ts';

/**
 * A coordinator, an executor and a master as processes of their own, which share nothing but HTTP and their token: each has its own
 * state. The master stays for the project in `projectDir`, where `termite make` finds it, and runs nothing itself.
 */
export class Daemons implements AsyncDisposable {
  readonly #running: ChildProcess[] = [];
  readonly #program: string;
  readonly #stateDir: string;

  private constructor(program: string, stateDir: string) {
    this.#program = program;
    this.#stateDir = stateDir;
  }

  /**
   * @param program the script of the command line
   * @param slots of the executor
   * @param stateDir exists; gets a folder for each of them
   */
  static async start(
    program: string,
    { projectDir, stateDir, slots }: { projectDir: string; stateDir: string; slots: number },
  ): Promise<Daemons> {
    const daemons = new Daemons(program, stateDir);
    try {
      const { path } = Token.open(join(stateDir, 'coordinator/termite'));
      for (const name of ['executor', 'master']) {
        const dir = join(stateDir, name, 'termite');
        makePrivateDir(dir);
        copyFileSync(path, join(dir, 'token'));
      }
      const ready = await daemons.#spawn('coordinator', ['--listen', '127.0.0.1:0']);
      const url = /https:\S+/.exec(ready)![0];
      await daemons.#spawn('executor', ['--coordinator', url, '--slots', `${slots}`]);
      await daemons.#spawn('master', ['--coordinator', url, '--slots', '0', '--root', projectDir]);
      return daemons;
    } catch (error) {
      await daemons[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let child = this.#running.pop(); child; child = this.#running.pop()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }

  /** @returns what it said up to "ready" */
  async #spawn(name: string, args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [this.#program, name, ...args], {
      env: { ...process.env, XDG_CACHE_HOME: join(this.#stateDir, name) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.push(child);
    return await new Promise((resolve, reject) => {
      let said = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          said += chunk.toString();
          if (/ready.*\n/.test(said)) resolve(said);
        });
      }
      child.once('exit', () => reject(new Error(`termite ${name} ended: ${said.trim()}`)));
    });
  }
}
