import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';
import { findMakefiles, makefileNames } from './find-makefiles.ts';
import { defaultShell, type Place, type ShellWish, WishReader } from './shell-wishes.ts';

export interface MakefileShell {
  /** The one that ours stands in for, absolute: what the first makefile says last, else /bin/sh. */
  path: string;
  /** Folders below whose makes want another one → that shell; all absolute. */
  elsewhere: ReadonlyMap<string, string>;
  /** The first place, if any, that wants another one, or one that only make itself can work out. */
  exception?: Place;
}

/** In .ONESHELL recipes for other shells make leaves its prefixes alone. Source: is_bourne_compatible_shell() in job.c. */
const bourneShells = ['sh', 'bash', 'dash', 'ksh', 'rksh', 'zsh', 'ash'];

/** Of a build with more of them, or longer ones, the environment of each command would grow too long. */
const maxElsewhere = 64;
const maxFolderLength = 1024;

/**
 * The shells that the makefiles ask for. Ours is put in the place of one from the command line, which counts for the whole
 * build: so it has to be told which one to stand in for, by the folder that make works in. Looked at are the makefiles that
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
  const below = wishes.every((wish) => wish.path === path) ? findBelow(dir, reader, path) : undefined;
  const elsewhere = below?.elsewhere ?? new Map<string, string>();
  const isBourne = [path, ...elsewhere.values()].every((shell) => bourneShells.includes(basename(shell)));
  const exception = below
    ? (below.exception ?? (isBourne ? undefined : reader.oneShell))
    : wishes.find((wish) => wish.path !== path);
  return { path, elsewhere, ...(exception ? { exception } : {}) };
}

/** Of a program that exists. */
function lastPath(wishes: readonly ShellWish[], scope: ShellWish['scope']): string | undefined {
  return wishes.findLast((wish) => wish.scope === scope && wish.path && existsSync(fsPath(wish.path)))?.path;
}

/**
 * Of the makefiles below the folder that have not been read yet. automake sets SHELL in all that it makes: beside these, one
 * that does not is no part of the build, as xz's for DOS; and its makes begin with the makefile of the folder they work in, so
 * that one which says plainly what it wants can have it. Elsewhere nobody knows which makefiles a make below reads.
 *
 * @param path the shell of all others
 */
function findBelow(
  dir: string,
  reader: WishReader,
  path: string,
): Pick<MakefileShell, 'elsewhere' | 'exception'> {
  const mustSpeak = reader.hasAutomakes;
  const elsewhere = new Map<string, string>();
  const ofParts: ShellWish[] = [];
  for (const { file, isFirst } of findMakefiles(dir)) {
    if (reader.hasRead(file)) continue;
    const ofPart = [...reader.wishesOfPart(file)];
    const isMake = isFirst && (!mustSpeak || ofPart.length > 0);
    const folder = dirname(file);
    const wishes = isMake ? [...reader.wishesOfMake(folder, [file])] : ofPart;
    if (!isMake) ofParts.push(...wishes);
    const exception = wishes.find((wish) => wish.path !== path);
    if (!exception) continue;
    const other = mustSpeak && isMake && folder !== dir ? onlyPath(wishes) : undefined;
    const isTellable =
      elsewhere.size < maxElsewhere && folder.length <= maxFolderLength && !folder.includes('\n');
    if (other === undefined || !isTellable) return { elsewhere, exception };
    elsewhere.set(folder, other);
  }
  // Who includes a part is not known: it may be the make of its folder.
  const exception = ofParts.find(({ file }) => elsewhere.has(dirname(file)));
  return { elsewhere, ...(exception ? { exception } : {}) };
}

/** Of a program that exists, and that all of them want for everything. */
function onlyPath(wishes: readonly ShellWish[]): string | undefined {
  const path = wishes[0]?.path;
  const isOnly = path !== undefined && wishes.every((wish) => wish.path === path && wish.scope === 'all');
  return isOnly && existsSync(fsPath(path)) ? path : undefined;
}
