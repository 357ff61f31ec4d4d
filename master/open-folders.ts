import { type BigIntStats, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { Privacy } from './privacy.ts';
import { systemError } from './system-error.ts';

interface Judged {
  isOpen: boolean;
  /** What that was told from. */
  look: string;
}

/**
 * Which folders may be shown as a whole, judged from the top down, once each: they are watched, and asked again when
 * somebody has changed one of them.
 */
export class OpenFolders {
  readonly #judged = new Map<string, Judged>();
  readonly #watch: (path: string) => Promise<void>;
  readonly #privacy: Privacy;
  #clearCount = 0;

  constructor(watch: (path: string) => Promise<void>, privacy: Privacy) {
    this.#watch = watch;
    this.#privacy = privacy;
  }

  /** All that were judged. */
  get paths(): IterableIterator<string> {
    return this.#judged.keys();
  }

  /** @throws a system error when there is no folder, what `watch` throws */
  async judge(path: string): Promise<boolean> {
    for (;;) {
      const known = this.known(path);
      if (known !== undefined) return known;
      const clearCount = this.#clearCount;
      const isParentOpen = path === '/' || (await this.judge(dirname(path)));
      await this.#watch(path);
      // Otherwise the watch may have been ended meanwhile.
      if (clearCount !== this.#clearCount) continue;
      const stats = lstatSync(fsPath(path), { bigint: true });
      if (!stats.isDirectory()) throw systemError('ENOTDIR', `not a directory: "${path}"`);
      const isOpen = this.#privacy.isOpen(path, stats, isParentOpen);
      this.#judged.set(path, { isOpen, look: lookOf(stats) });
    }
  }

  /** undefined: not judged yet. */
  known(path: string): boolean | undefined {
    return this.#judged.get(path)?.isOpen;
  }

  /** Whether one of the paths is a folder that was judged and is another one now, or has other rights. */
  haveChanged(paths: Iterable<string>): boolean {
    for (const path of paths) {
      const judged = this.#judged.get(path);
      if (judged && !looksLike(path, judged.look)) return true;
    }
    return false;
  }

  /** To be called when the watches end. */
  clear(): void {
    this.#clearCount += 1;
    this.#judged.clear();
  }
}

function looksLike(path: string, look: string): boolean {
  try {
    return lookOf(lstatSync(fsPath(path), { bigint: true })) === look;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
}

function lookOf({ dev, ino, mode, gid }: BigIntStats): string {
  return `${dev} ${ino} ${mode} ${gid}`;
}
