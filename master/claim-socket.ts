import { linkSync, lstatSync, renameSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { connectSocket } from './connect-socket.ts';
import { usableSocketPath } from './socket-path.ts';

/**
 * Makes `server` listen at `path`, for its owner alone, unless another process does already. The socket appears there
 * complete, by a link from another name, so that of several who try at once one wins; what a dead process left is
 * taken away.
 *
 * @param project whose master is to be found there, for messages
 * @returns takes the socket's name away again, if it is still ours; the server itself stays open
 * @throws AppError `master-running` when somebody listens there
 */
export async function claimSocket(server: Server, path: string, project: string): Promise<() => void> {
  const temporary = join(dirname(path), `.termite-tmp-socket-${process.pid}`);
  rmSync(fsPath(temporary), { force: true });
  await listenPrivately(server, temporary);
  try {
    const { ino } = lstatSync(fsPath(temporary), { bigint: true });
    while (!tryLink(temporary, path)) await removeDead(path, project);
    return () => {
      const stats = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
      if (stats?.ino === ino) rmSync(fsPath(path), { force: true });
    };
  } finally {
    rmSync(fsPath(temporary), { force: true });
  }
}

async function listenPrivately(server: Server, path: string): Promise<void> {
  using usable = usableSocketPath(path);
  // Between bind and chmod anybody could connect; listen() binds before it returns.
  const umask = process.umask(0o077);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(usable.path, () => {
        server.off('error', reject);
        resolve();
      });
      process.umask(umask);
    });
  } catch (cause) {
    throw new AppError(`Cannot listen on "${path}"`, { code: 'cannot-listen', cause });
  } finally {
    process.umask(umask);
  }
}

/** False when the name is taken. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(fsPath(from), fsPath(to));
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    // A file system without hard links: then the last of several who start at the same moment wins.
    if (!isErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
    if (lstatSync(fsPath(to), { throwIfNoEntry: false })) return false;
    renameSync(fsPath(from), fsPath(to));
    return true;
  }
}

/** Moved aside before it is looked at again, so that it cannot be somebody's new one that is removed. */
async function removeDead(path: string, project: string): Promise<void> {
  await refuseLive(path, project);
  const stats = lstatSync(fsPath(path), { throwIfNoEntry: false });
  if (!stats) return;
  if (!stats.isSocket())
    throw new AppError(`Cannot listen on "${path}": it is no socket`, {
      code: 'cannot-listen',
      category: 'caller',
      hint: 'Remove it',
    });
  const aside = join(dirname(path), `.termite-tmp-socket-dead-${process.pid}`);
  renameSync(fsPath(path), fsPath(aside));
  const socket = await connectSocket(aside);
  socket?.destroy();
  if (socket) renameSync(fsPath(aside), fsPath(path));
  else rmSync(fsPath(aside), { force: true });
}

async function refuseLive(path: string, project: string): Promise<void> {
  const socket = await connectSocket(path);
  socket?.destroy();
  if (socket)
    throw new AppError(`A master is already running for "${project}"`, {
      code: 'master-running',
      category: 'caller',
      hint: 'Use it, or end it with "termite stop"',
    });
}
