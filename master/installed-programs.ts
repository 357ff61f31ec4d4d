import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { toolchainProgram } from './toolchain.ts';

/** Where a system has its programs. What is anywhere else may be anything, whatever its name. */
const installedIn = /^\/(?:usr|bin|sbin|opt|nix|gnu)\//;
/** For so long an answer holds: installing a launcher for compilers is nothing that happens between two commands. */
const holdsMs = 1_000;
const maxAnswers = 1_000;

/**
 * Whether a name stands for a program of the system of which it is the name: a `gcc` that is a link to a launcher such as
 * ccache, a script, or the project's own, is none.
 */
export class InstalledPrograms {
  readonly #projectRoot: string;
  readonly #nowMs: () => number;
  readonly #answers = new Map<string, { untilMs: number; isInstalled: boolean }>();

  constructor(projectRoot: string, nowMs: () => number) {
    this.#projectRoot = projectRoot;
    this.#nowMs = nowMs;
  }

  /** @param word the program as a command line spells it; @param path the value of PATH */
  isInstalled(word: string, path: string): boolean {
    const key = `${word}\0${path}`;
    const nowMs = this.#nowMs();
    const known = this.#answers.get(key);
    if (known && nowMs < known.untilMs) return known.isInstalled;
    const isInstalled = this.#find(word, path);
    if (this.#answers.size >= maxAnswers) this.#answers.clear();
    this.#answers.set(key, { untilMs: nowMs + holdsMs, isInstalled });
    return isInstalled;
  }

  #find(word: string, path: string): boolean {
    const program = realProgram(word, path);
    return program !== undefined && !program.startsWith(`${this.#projectRoot}/`);
  }
}

/** Absolute path of the file that is run, if it is a program of the system that has that name. */
function realProgram(word: string, path: string): string | undefined {
  const found = find(word, path);
  if (found === undefined || !installedIn.test(found)) return undefined;
  try {
    const real = realpathSync(fsPath(found), 'utf8');
    const wanted = word.slice(word.lastIndexOf('/') + 1);
    const name = real.slice(real.lastIndexOf('/') + 1);
    // A compiler goes by many names; other programs by their own, or by that of the one program that is them all.
    const isItself =
      toolchainProgram(wanted) !== undefined
        ? toolchainProgram(real) !== undefined || /^(?:gcc|clang|llvm|ld)-/.test(name)
        : name === wanted || /^(?:busybox|coreutils|toybox|[gm]awk|dash|bash)$/.test(name);
    return isItself && installedIn.test(real) && isElf(real) ? real : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP')) return undefined;
    throw error;
  }
}

/** The first program of that name on the PATH. @returns undefined also where that depends on the current folder */
function find(word: string, path: string): string | undefined {
  if (word.includes('/')) return word.startsWith('/') ? word : undefined;
  for (const dir of path.split(':')) {
    if (!dir.startsWith('/')) return undefined;
    const file = join(dir, word);
    if (isProgram(file)) return file;
  }
  return undefined;
}

function isProgram(file: string): boolean {
  try {
    const stats = statSync(fsPath(file), { throwIfNoEntry: false });
    return stats?.isFile() === true && (stats.mode & 0o111) !== 0;
  } catch (error) {
    // A folder on the PATH that is not for the user: whoever runs the program passes it over as well.
    if (isErrno(error, 'EACCES', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return false;
    throw error;
  }
}

function isElf(file: string): boolean {
  const magic = Buffer.alloc(4);
  const fd = openSync(fsPath(file), 'r');
  try {
    return readSync(fd, magic, 0, 4, 0) === 4 && magic.equals(Buffer.from('\x7fELF', 'latin1'));
  } finally {
    closeSync(fd);
  }
}
