import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { TermiteRig } from './termite.ts';

/** A project that is built again and again, by the product as its user has it: one master for all builds of a test. */
export class CacheRig extends TermiteRig {
  write(files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(this.path(path)), { recursive: true });
      writeFileSync(this.path(path), content);
    }
  }

  path(path: string): string {
    return join(this.project, path);
  }

  read(path: string): string {
    return readFileSync(this.path(path), 'utf8');
  }

  remove(...paths: string[]): void {
    for (const path of paths) rmSync(this.path(path), { recursive: true, force: true });
  }

  /** `termite run` of a shell line. @returns `hit` or `ran`; fails the test when the command fails or runs locally */
  async sh(line: string, env: NodeJS.ProcessEnv = {}, cwd = '.'): Promise<'hit' | 'ran'> {
    const outcome = await this.report(['run', '--root', this.project, 'sh', '-c', line], {
      env: { ...this.env, ...env },
      cwd: this.path(cwd),
    });
    assert.is(outcome.status, 0, outcome.stderr);
    const { cached, remote, local } = outcome.report;
    assert.equal([cached + remote, local], [1, 0], outcome.stderr);
    return cached === 1 ? 'hit' : 'ran';
  }

  /** `termite make`. @returns how many commands were hits and how many ran */
  async make(...args: string[]): Promise<[hits: number, ran: number]> {
    const { status, stderr, report } = await this.report(['make', '-j2', ...args]);
    assert.is(status, 0, stderr);
    assert.is(report.fallbacks, 0, stderr);
    return [report.cached, report.remote];
  }
}

/** With a master that stays for the whole test. */
export async function withCacheRig(body: (rig: CacheRig) => Promise<void>): Promise<void> {
  await using rig = new CacheRig('root');
  await using _master = await rig.daemon(['master'], /ready/);
  await body(rig);
}
