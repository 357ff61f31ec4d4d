import { readlinkSync } from 'node:fs';
import { decodeBytes } from '../runtime/byte-path.ts';
import { systemError } from './system-error.ts';

/**
 * That a descriptor is of what stands at an absolute path without symlinks: a folder on the way may have been replaced between the
 * look and the opening, and O_NOFOLLOW is about the last name only.
 *
 * @throws a system error ENOTDIR
 */
export function expectPlace(descriptor: number, path: string): void {
  const opened = decodeBytes(readlinkSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer' }));
  if (opened !== path) throw systemError('ENOTDIR', `not at its place any more: "${path}"`);
}
