import { fstatSync } from 'node:fs';
import { isErrno } from '../runtime/errno.ts';

/**
 * The descriptors of the job server of a make around us, which is a pipe before GNU make 4.4; empty when there is none
 * or when make did not let us have it. The last word about it counts, as for make itself.
 */
export function jobserverDescriptors(env: Readonly<Record<string, string | undefined>>): number[] {
  const [options = ''] = (env['MAKEFLAGS'] ?? '').split(/(?:^| )-- /);
  const last = [...options.matchAll(/--jobserver-(?:auth|fds)=(\S+)/g)].at(-1)?.[1] ?? '';
  const pair = /^(\d+),(\d+)$/.exec(last);
  if (!pair) return [];
  const descriptors = [Number(pair[1]), Number(pair[2])];
  return descriptors.every((fd) => fd > 2 && isPipe(fd)) ? descriptors : [];
}

function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO();
  } catch (error) {
    if (isErrno(error, 'EBADF')) return false;
    throw error;
  }
}
