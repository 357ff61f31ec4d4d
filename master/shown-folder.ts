import { statSync } from 'node:fs';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

/**
 * The environment as programs below a shell get it: one whose PWD does not name the current folder corrects it, and
 * compilers pay no heed to it. So it does not count from where a build was started with `-C`.
 *
 * Source: POSIX.1-2024 "Shell Variables", PWD; dash and bash keep one that does name it, be it through a symlink.
 */
export function withShownFolder(env: readonly string[], cwd: string): string[] {
  return env.map((entry) => {
    const folder = entry.startsWith('PWD=') ? entry.slice('PWD='.length) : cwd;
    return folder === cwd || isSameFolder(folder, cwd) ? entry : `PWD=${cwd}`;
  });
}

function isSameFolder(a: string, b: string): boolean {
  if (!a.startsWith('/')) return false;
  try {
    const [one, other] = [statSync(fsPath(a), { bigint: true }), statSync(fsPath(b), { bigint: true })];
    return one.dev === other.dev && one.ino === other.ino;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return false;
    throw error;
  }
}
