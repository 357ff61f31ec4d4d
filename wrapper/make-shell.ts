import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';
import { findMakefiles, makefileNames } from './find-makefiles.ts';
import { defaultShell, type Place, type ShellWish, WishReader } from './shell-wishes.ts';

export interface MakefileShell {
  /** The one that ours can stand in for, absolute: what the first makefile says last, else /bin/sh. */
  path: string;
  /** The first place, if any, that wants another one, or one that only make itself can work out. */
  exception?: Place;
}

/** In .ONESHELL recipes for other shells make leaves its prefixes alone. Source: is_bourne_compatible_shell() in job.c. */
const bourneShells = ['sh', 'bash', 'dash', 'ksh', 'rksh', 'zsh', 'ash'];

/**
 * The shells that the makefiles ask for. Ours is put in the place of one from the command line, which counts for the whole
 * build: so it has to be told which one to stand in for, and there must be no other. Looked at are the makefiles that
 * make begins with, all others below the folder, since sub-makes may begin with them, and what these include by a plain name.
 *
 * @param dir where make works, absolute
 * @param files of -f; empty: the usual names
 * @param searchPath as `$PATH`
 */
export function findMakefileShell(
  dir: string,
  files: readonly string[],
  searchPath: string | undefined,
): MakefileShell {
  const reader = new WishReader(dir, searchPath);
  const given = files.filter((file) => file !== '-');
  const usual = makefileNames.filter((name) => existsSync(fsPath(resolve(dir, name)))).slice(0, 1);
  const first = (files.length > 0 ? given : usual).map((file) => resolve(dir, file));
  const wishes = [...reader.wishesOfMake(dir, first)];
  const path = lastPath(wishes, 'all') ?? lastPath(wishes, 'conditional') ?? defaultShell;
  const exception =
    wishes.find((wish) => wish.path !== path) ??
    findBelow(dir, reader, (wish) => wish.path !== path) ??
    (bourneShells.includes(basename(path)) ? undefined : reader.oneShell);
  return { path, ...(exception ? { exception } : {}) };
}

/** Of a program that exists. */
function lastPath(wishes: readonly ShellWish[], scope: ShellWish['scope']): string | undefined {
  return wishes.findLast((wish) => wish.scope === scope && wish.path && existsSync(fsPath(wish.path)))?.path;
}

/**
 * Of the makefiles below the folder that have not been read yet. automake sets SHELL in all that it makes: beside these, one
 * that does not is no part of the build, as xz's for DOS.
 */
function findBelow(
  dir: string,
  reader: WishReader,
  isWanted: (wish: ShellWish) => boolean,
): ShellWish | undefined {
  const mustSpeak = reader.hasAutomakes;
  for (const { file, isFirst } of findMakefiles(dir)) {
    if (reader.hasRead(file)) continue;
    const isMake = isFirst && !mustSpeak;
    for (const wish of isMake ? reader.wishesOfMake(dirname(file), [file]) : reader.wishesOfPart(file))
      if (isWanted(wish)) return wish;
  }
  return undefined;
}
