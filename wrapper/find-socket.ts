import { existsSync, lstatSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  parkedSocketPath,
  resolveRoot,
  rootOfSocket,
  servingSocketPath,
  socketName,
} from '../master/master-client.ts';
import { buildLogName } from '../protocol/build-log.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { accountHome, projectStateDir } from '../runtime/cache-dir.ts';
import { isErrno } from '../runtime/errno.ts';
import type { Environment } from './command.ts';

/** A project, and where the master that serves it is or will be found. */
export interface Project {
  /** Absolute, symlinks resolved. */
  root: string;
  socketPath: string;
}

/**
 * The project with that root.
 *
 * @throws AppError `bad-root` when there is no such folder, `no-cache-folder`
 */
export function projectAt(root: string, env: Environment): Project {
  const real = resolveRoot(root);
  return { root: real, socketPath: servingSocketPath(projectStateDir(env, real), real) };
}

/** The project around the current folder: the running one, else the one that was built before, else the folder itself. */
export function projectAround(dir: string, env: Environment): Project {
  return findRunning(dir, env) ?? findBuilt(dir, env) ?? projectAt(dir, env);
}

function projectOfSocket(socketPath: string): Project {
  const root = rootOfSocket(socketPath);
  if (root !== undefined) return { root, socketPath };
  throw new AppError(`TERMITE_SOCKET is no socket of a master: "${socketPath}"`, {
    ...{ code: 'bad-socket', category: 'caller', hint: 'Unset it: masters are found without it' },
  });
}

/**
 * The project that $TERMITE_SOCKET names, else the nearest around a folder whose master runs or waits for the next build. A
 * socket of somebody else's is not believed: he would get our environment and decide what commands do.
 *
 * @throws AppError `bad-socket` when $TERMITE_SOCKET names none of ours, and as `projectAt`
 */
export function findRunning(dir: string, env: Environment): Project | undefined {
  const named = env['TERMITE_SOCKET'];
  if (named) return projectOfSocket(named);
  for (const at of upwards(resolveRoot(dir))) {
    const project = projectAt(at, env);
    if (isTrusted(project.socketPath)) return project;
    const inProject = join(at, socketName);
    if (isTrusted(inProject)) return { root: at, socketPath: inProject };
    if (isTrusted(parkedSocketPath(projectStateDir(env, at)))) return project;
  }
  return undefined;
}

/**
 * The nearest project around a folder that was built before. Not above the repository that the folder is in, and not where homes are: a build that was once made there by mistake is not
 * to draw in all that lies below.
 */
export function findBuilt(dir: string, env: Environment): Project | undefined {
  for (const at of upwards(resolveRoot(dir))) {
    if (holdsHome(at)) return undefined;
    if (existsSync(fsPath(join(projectStateDir(env, at), buildLogName)))) return projectAt(at, env);
    if (statsOf(join(at, '.git'))?.isDirectory()) return undefined;
  }
  return undefined;
}

/** Whether a folder is the user's home, or has it somewhere below. */
export function holdsHome(folder: string): boolean {
  const home = accountHome();
  return folder === '/' || home === folder || home?.startsWith(`${folder}/`) === true;
}

function* upwards(folder: string): Generator<string> {
  for (let at = folder; ; at = dirname(at)) {
    yield at;
    if (at === '/') return;
  }
}

function isTrusted(socketPath: string): boolean {
  const stats = statsOf(socketPath);
  return stats?.isSocket() === true && (stats.uid === process.getuid?.() || stats.uid === 0);
}

/** undefined also where we may not look: then it is none of ours. */
function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false });
  } catch (error) {
    if (isErrno(error, 'EACCES', 'ENOTDIR')) return undefined;
    throw error;
  }
}
