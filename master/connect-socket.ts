import { connect, type Socket } from 'node:net';
import { AppError } from '../runtime/app-error.ts';
import { isErrno } from '../runtime/errno.ts';
import { usableSocketPath } from './socket-path.ts';

/**
 * Connects to a unix socket, whose path may have any length; undefined when nobody listens there.
 *
 * @throws AppError `cannot-connect` when it may not be used, e.g. because it is somebody else's
 */
export async function connectSocket(path: string): Promise<Socket | undefined> {
  let usable: ReturnType<typeof usableSocketPath>;
  try {
    usable = usableSocketPath(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw cannotConnect(path, error);
  }
  try {
    return await new Promise((resolve, reject) => {
      const socket = connect(usable.path, () => {
        socket.off('error', reject);
        resolve(socket);
      });
      socket.once('error', reject);
    });
  } catch (error) {
    // ENOTSOCK is ECONNREFUSED on Linux: something else has the name. ECONNRESET: whoever listened has just ceased to.
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED', 'ECONNRESET')) return undefined;
    throw cannotConnect(path, error);
  } finally {
    usable[Symbol.dispose]();
  }
}

function cannotConnect(path: string, cause: unknown): AppError {
  return new AppError(`Cannot connect to "${path}"`, { code: 'cannot-connect', category: 'caller', cause });
}
