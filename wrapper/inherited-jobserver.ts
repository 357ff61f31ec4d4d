import { readlinkSync } from 'node:fs';
import { isErrno } from '../runtime/errno.ts';

/**
 * The descriptors of the jobserver of a make around us, which a program that we start has to inherit: Node hands on none
 * but the first three by itself. Empty when there is no such jobserver, when it is a FIFO that everybody opens by
 * name, and when make has closed the pipe to us, because it does not take us for a make.
 *
 * @param parentId the process that started us. Numbers alone prove nothing: what make has closed may be a pipe of
 * Node's own by now. So it has to be the same pipe there.
 */
export function inheritedJobserver(makeflags: string | undefined, parentId: number): number[] {
  // Behind " -- " are variables of make's command line, which may contain anything.
  const options = (makeflags ?? '').split(/(?:^|\s)--(?:\s|$)/, 1)[0]!;
  const last = [...options.matchAll(/(?:^|\s)--jobserver-(?:auth|fds)=(?<value>\S*)/g)].at(-1);
  const pair = /^(?<read>\d+),(?<write>\d+)$/.exec(last?.groups?.['value'] ?? '');
  if (!pair) return [];
  const descriptors = [Number(pair.groups!['read']), Number(pair.groups!['write'])];
  return descriptors.every((fd) => isSharedPipe(fd, parentId)) ? descriptors : [];
}

function isSharedPipe(fd: number, parentId: number): boolean {
  const own = readLink(`/proc/self/fd/${fd}`);
  return own?.startsWith('pipe:') === true && own === readLink(`/proc/${parentId}/fd/${fd}`);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'ESRCH')) return undefined;
    throw error;
  }
}
