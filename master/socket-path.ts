import { closeSync, constants, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';

export const socketName = '.termite-socket';

/** Where a master that waits for the next build of its project is to be asked. @param stateDir of the project */
export function parkedSocketPath(stateDir: string): string {
  return join(stateDir, 'parked');
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
