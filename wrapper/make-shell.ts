import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

export interface MakefileShell {
  /** What the last plain assignment says, when that is a literal absolute path. */
  path?: string;
  /** `override SHELL =` wins over any command line: make will not ask us. */
  isOverridden: boolean;
}

/** Names that make looks for, in its order. */
const defaultNames = ['GNUmakefile', 'makefile', 'Makefile'];

const maxIncludeDepth = 10;

/**
 * The shell that the makefiles themselves ask for. Our own is put in its place from the command line, which beats
 * those assignments, so it has to be told which one to stand in for. Makefiles that are included by a plain name are
 * looked at as well; `?=` has no effect on SHELL.
 *
 * @param dir where make reads its makefiles, absolute
 * @param files of -f; empty: the usual names
 */
export function findMakefileShell(dir: string, files: readonly string[]): MakefileShell {
  const wanted =
    files.length > 0
      ? files
      : defaultNames.filter((name) => existsSync(fsPath(resolve(dir, name)))).slice(0, 1);
  const read = (file: string) => readText(resolve(dir, file));
  const found = wanted.filter((file) => file !== '-').map((file) => scanShell(read(file), read));
  const path = found.findLast((shell) => shell.path !== undefined && existsSync(fsPath(shell.path)))?.path;
  return { ...(path === undefined ? {} : { path }), isOverridden: found.some((shell) => shell.isOverridden) };
}

/**
 * The assignments to SHELL in the text of one makefile. Only the last that is plain counts.
 *
 * @param read the text of an included makefile; empty when there is none
 * @param depth of includes: those that go round in a circle are make's to complain about
 */
export function scanShell(makefile: string, read: (file: string) => string, depth = 0): MakefileShell {
  const result: MakefileShell = { isOverridden: false };
  // As the many files of dependencies that compilers write.
  if (!/SHELL|include/.test(makefile)) return result;
  let defineDepth = 0;
  for (const line of makefile.replaceAll(/\\\r?\n[ \t]*/g, ' ').split(/\r?\n/)) {
    // A line that begins with a tab belongs to a recipe.
    if (line.startsWith('\t')) continue;
    if (/^ *endef\b/.test(line)) defineDepth -= 1;
    else if (/^ *(?:override +|export +)*define\b/.test(line)) defineDepth += 1;
    if (defineDepth > 0) continue;
    const included = /^ *[s-]?include[ \t]+(?<names>[^#]*)/.exec(line)?.groups?.['names'] ?? '';
    for (const name of depth < maxIncludeDepth ? included.split(/\s+/) : []) {
      if (!/^[\w./+-]+$/.test(name)) continue;
      const { path, isOverridden } = scanShell(read(name), read, depth + 1);
      if (path !== undefined) result.path = path;
      result.isOverridden ||= isOverridden;
    }
    const match = /^ *(?<words>(?:(?:export|override|private)[ \t]+)*)SHELL[ \t]*:{0,3}=(?<value>.*)$/.exec(
      line,
    );
    if (!match) continue;
    if (match.groups!['words']!.includes('override')) result.isOverridden = true;
    const value = match.groups!['value']!.replace(/(?<!\\)#.*$/, '').trim();
    if (/^\/[^\s$]+$/.test(value)) result.path = value;
  }
  return result;
}

function readText(path: string): string {
  try {
    return decodeBytes(readFileSync(fsPath(path)));
  } catch (error) {
    // make itself says so.
    if (isErrno(error, 'ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR')) return '';
    throw error;
  }
}
