import { lstatSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { resolveRoot, socketName } from '../master/master-client.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

/** A project that has a socket, or will have one. */
export interface Project {
  /** Absolute, symlinks resolved. */
  root: string;
  socketPath: string;
}

/** The project with that root. @throws AppError `bad-root` when there is no such folder */
export function projectAt(root: string): Project {
  const real = resolveRoot(root);
  return { root: real, socketPath: join(real, socketName) };
}

/**
 * The nearest project around a folder whose master has left or has a socket; the one that $TERMITE_SOCKET names comes
 * first. A socket of somebody else's is not believed: he would get our environment and decide what commands do.
 */
export function findProject(dir: string, socketPath: string | undefined): Project | undefined {
  if (socketPath) return { root: dirname(socketPath), socketPath };
  for (let at = resolveRoot(dir); ; at = dirname(at)) {
    const candidate = join(at, socketName);
    const stats = statsOf(candidate);
    const isTrusted = stats?.isSocket() && (stats.uid === process.getuid?.() || stats.uid === 0);
    if (isTrusted) return { root: at, socketPath: candidate };
    if (at === '/') return undefined;
  }
}

/** undefined also where we may not look: then it is none of ours. */
function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false });
  } catch (error) {
    if (isErrno(error, 'EACCES')) return undefined;
    throw error;
  }
}
