import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';
import { makefileNames } from './find-makefiles.ts';
import { findProgram } from './find-program.ts';
import { type ShellAssignment, type ShellStatement, scanMakefile } from './scan-makefile.ts';

/** A line of a makefile. */
export interface Place {
  /** Absolute. */
  file: string;
  /** Missing where it is about the file as a whole. */
  line?: number;
  text: string;
}

/** Which shell a place in a makefile wants. */
export interface ShellWish extends Place {
  /** Its absolute path; undefined: only make can work it out. */
  path?: string;
  /** For what; `default`: make's own shell, because nothing is said, or not yet. */
  scope: ShellAssignment['scope'] | 'default';
}

/** What a make uses that is told nothing. */
export const defaultShell = '/bin/sh';

/** No makefile that anybody has written is larger, nor are those of automake. */
const maxBytes = 16 << 20;

/** Reads makefiles, each once, for the shells that they want. */
export class WishReader {
  readonly #dir: string;
  readonly #searchPath: string | undefined;
  readonly #statements = new Map<string, ShellStatement[]>();
  /** Where `.ONESHELL` is said first. */
  oneShell: Place | undefined;

  /**
   * @param dir where make works, absolute
   * @param searchPath as `$PATH`
   */
  constructor(dir: string, searchPath: string | undefined) {
    this.#dir = dir;
    this.#searchPath = searchPath;
  }

  /** Whether it has been read, if only because another one includes it. @param file absolute */
  hasRead(file: string): boolean {
    return this.#statements.has(file);
  }

  /** Of a make that works in a folder and begins with these makefiles, all absolute. In order; never empty. */
  *wishesOfMake(dir: string, files: readonly string[]): Generator<ShellWish> {
    const seen = new Set<string>();
    let isSettled = false;
    for (const file of files) {
      for (const { place, statement, isConditional } of this.#statementsOf(file, dir, seen)) {
        if (statement.kind === 'use' && !isSettled) yield defaultWish(place);
        if (statement.kind !== 'assignment') continue;
        const wish = this.#wishOf(place, statement.assignment, isConditional);
        if (wish) yield wish;
        if (wish?.scope === 'all') isSettled = true;
      }
    }
    if (!isSettled) yield defaultWish({ file: files[0] ?? dir, text: 'no SHELL' });
  }

  /** Of a makefile, absolute, that others may include. */
  *wishesOfPart(file: string): Generator<ShellWish> {
    for (const statement of this.#read(file)) {
      if (statement.kind !== 'assignment') continue;
      const wish = this.#wishOf(placeOf(file, statement), statement.assignment, true);
      if (wish) yield wish;
    }
  }

  /** With those of what it includes by a plain name, in their place. */
  *#statementsOf(
    file: string,
    dir: string,
    seen: Set<string>,
    isConditional = false,
  ): Generator<{ place: Place; statement: ShellStatement; isConditional: boolean }> {
    // Those that go round in a circle are make's to complain about.
    if (seen.has(file)) return;
    seen.add(file);
    for (const statement of this.#read(file)) {
      yield { place: placeOf(file, statement), statement, isConditional };
      if (statement.kind !== 'include') continue;
      for (const name of statement.names) {
        // A GNUmakefile, as gnulib's, includes the Makefile if there is one: then that is the one.
        const isOptional = statement.isConditional && !makefileNames.includes(basename(name));
        yield* this.#statementsOf(resolve(dir, name), dir, seen, isConditional || isOptional);
      }
    }
  }

  #wishOf(place: Place, assignment: ShellAssignment, isConditional: boolean): ShellWish | undefined {
    const { path, program } = assignment;
    const scope = assignment.scope === 'all' && isConditional ? 'conditional' : assignment.scope;
    // Meant for another system, as in "ifeq ($(OS),Windows_NT)".
    if (scope === 'conditional' && program !== undefined && !this.#isThere(program)) return undefined;
    return { ...place, ...(path === undefined ? {} : { path }), scope };
  }

  #isThere(program: string): boolean {
    if (!program.includes('/')) return findProgram([program], this.#searchPath) !== undefined;
    return existsSync(fsPath(resolve(this.#dir, program)));
  }

  #read(file: string): ShellStatement[] {
    const known = this.#statements.get(file);
    if (known) return known;
    const statements = scanMakefile(readText(file));
    this.#statements.set(file, statements);
    const oneShell = statements.find(({ kind }) => kind === 'one-shell');
    if (oneShell) this.oneShell ??= placeOf(file, oneShell);
    return statements;
  }
}

function placeOf(file: string, { line, text }: ShellStatement): Place {
  return { file, line, text };
}

function defaultWish(place: Place): ShellWish {
  return { ...place, path: defaultShell, scope: 'default' };
}

/** Empty for what is no file: a pipe, as of `-f /dev/stdin`, is left for make. */
function readText(path: string): string {
  try {
    const stats = statSync(fsPath(path));
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(fsPath(path), 'utf8') : '';
  } catch {
    // For whatever reason: make says so, if it wants to read it at all.
    return '';
  }
}
