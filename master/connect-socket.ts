import { connect, type Socket } from 'node:net';
import { isErrno } from '../runtime/errno.ts';
import { usableSocketPath } from './socket-path.ts';

/** Connects to a unix socket, whose path may have any length; undefined when nobody listens there. */
export async function connectSocket(path: string): Promise<Socket | undefined> {
  let usable: ReturnType<typeof usableSocketPath>;
  try {
    usable = usableSocketPath(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
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
    // ENOTSOCK is ECONNREFUSED on Linux: something else has the name.
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED')) return undefined;
    throw error;
  } finally {
    usable[Symbol.dispose]();
  }
}
