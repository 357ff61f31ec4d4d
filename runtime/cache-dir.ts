import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { AppError } from './app-error.ts';
import { encodeBytes, fsPath } from './byte-path.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where everything is kept that can be found out again, absolute. Source: XDG Base Directory Specification, by which a
 * relative $XDG_CACHE_HOME is to be ignored.
 *
 * @throws AppError `no-cache-folder` when nobody says where that is
 */
export function cacheDir(env: Environment): string {
  const base = env['XDG_CACHE_HOME'] ?? '';
  return join(isAbsolute(base) ? base : join(homeDir(env), '.cache'), 'termite');
}

/**
 * What belongs to one project: its database, journal, log and sockets. native/shell/project.c finds the same folder.
 *
 * @param root absolute, symlinks resolved
 * @throws AppError as `cacheDir`
 */
export function projectStateDir(env: Environment, root: string): string {
  const name = createHash('sha256').update(encodeBytes(root)).digest('hex').slice(0, 16);
  return join(cacheDir(env), 'projects', name);
}

/** What $XDG_CACHE_HOME says where that has no effect. */
export function ignoredCacheHome(env: Environment): string | undefined {
  const base = env['XDG_CACHE_HOME'] ?? '';
  return base === '' || isAbsolute(base) ? undefined : base;
}

/** The home folder that is in the user database, whatever $HOME says; undefined for a user who is not in there. */
export function accountHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // As in a container that is run under any number.
    return undefined;
  }
}

function homeDir(env: Environment): string {
  const home = [env['HOME'], accountHome()].find((dir) => dir !== undefined && isAbsolute(dir));
  if (home !== undefined) return home;
  throw new AppError('Cannot tell where to keep what is known: neither XDG_CACHE_HOME nor HOME is a folder', {
    ...{ code: 'no-cache-folder', category: 'caller', hint: 'Set one of them to an absolute path' },
  });
}

/**
 * Makes a folder for the user alone, with those that it is in. One of the user's that is there already and lets others in, as
 * earlier versions made some, is closed.
 *
 * @throws a system error that tells the cause: of a read-only file system Node says ENOENT
 */
export function makePrivateDir(dir: string): void {
  try {
    mkdirSync(fsPath(dir), { recursive: true, mode: 0o700 });
    const { mode, uid } = statSync(fsPath(dir));
    if ((mode & 0o077) !== 0 && uid === process.geteuid!()) chmodSync(fsPath(dir), 0o700);
  } catch (error) {
    let existing = dir;
    while (existing !== '/' && !existsSync(fsPath(existing))) existing = dirname(existing);
    accessSync(fsPath(existing), constants.W_OK);
    throw error;
  }
}

/**
 * What to throw for an error of opening or writing what is kept: AppError `cannot-use-cache` that names the folder for
 * those of the file system and of its databases, any other as it is.
 */
export function explainCacheError(error: unknown, env: Environment): unknown {
  const isOfStore = error instanceof AppError && ['disk-full', 'bad-database'].includes(error.code);
  const isOfCache = isOfStore || isSystemError(error);
  if (!isOfCache) return error;
  return new AppError(`Cannot use the cache folder "${cacheDir(env)}"`, {
    ...{ code: 'cannot-use-cache', cause: error },
    hint: 'Make it writable, make room there, or name another one by XDG_CACHE_HOME',
  });
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}
