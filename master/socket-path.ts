import { closeSync, constants, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { listNames } from './list-names.ts';

/** In the root of a project whose master was asked to be found there, too. */
export const socketName = '.termite-socket';

const servingPrefix = 'socket-';
const rootName = 'root';

/**
 * Where the master that serves a project is to be asked. The name holds what the root is, not only where: another folder
 * that takes its place, or has the same path in another mount namespace, has a socket of its own. native/shell/project.c
 * makes the same.
 *
 * @param stateDir of the project
 * @param root absolute
 * @throws a system error when there is no such folder
 */
export function servingSocketPath(stateDir: string, root: string): string {
  const { dev, ino } = statSync(fsPath(root), { bigint: true });
  return join(stateDir, `${servingPrefix}${dev.toString(16)}-${ino.toString(16)}`);
}

/** Where a master that waits for the next build of its project is to be asked. @param stateDir of the project */
export function parkedSocketPath(stateDir: string): string {
  return join(stateDir, 'parked');
}

/** The file in a project's state folder that holds the path of its root: only so can it be told from a socket there. */
export function rootFilePath(stateDir: string): string {
  return join(stateDir, rootName);
}

/** The root of the project whose master listens at a socket of any of these kinds; undefined when nothing says so. */
export function rootOfSocket(socketPath: string): string | undefined {
  const dir = dirname(socketPath);
  if (basename(socketPath) === socketName) return dir;
  try {
    return decodeBytes(readFileSync(fsPath(rootFilePath(dir))));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}

/** The sockets of masters of other folders that are, or were, in the place of the one that is served at `own`. */
export function otherSockets(stateDir: string, own: string): string[] {
  return listNames(stateDir)
    .filter((name) => name.startsWith(servingPrefix) && name !== basename(own))
    .map((name) => join(stateDir, name));
}

/** Takes away what is left of those sockets, by who owns the state now. */
export function removeOtherSockets(stateDir: string, own: string): void {
  for (const path of otherSockets(stateDir, own)) rmSync(fsPath(path), { force: true });
}

/** Longest path that a unix socket's address takes. Source: unix(7), sun_path less its NUL. */
const maxAddressBytes = 107;

/**
 * A path of the same socket that is short enough, and plain text, for an address: by way of a descriptor of its
 * folder where it is not. Valid until closed.
 *
 * @throws a system error when the folder cannot be opened
 */
export function usableSocketPath(path: string): { path: string } & Disposable {
  if (path.isWellFormed() && Buffer.byteLength(path) <= maxAddressBytes)
    return { path, [Symbol.dispose]: () => {} };
  const fd = openSync(fsPath(dirname(path)), constants.O_DIRECTORY | constants.O_RDONLY);
  return {
    path: `/proc/self/fd/${fd}/${path.slice(path.lastIndexOf('/') + 1)}`,
    [Symbol.dispose]: () => closeSync(fd),
  };
}
