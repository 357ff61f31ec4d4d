import { type Stats, utimesSync } from 'node:fs';
import { isErrno } from '../runtime/errno.ts';

/** So exactly is known when a blob was last used: noting it each time would cost more than finding the blob. */
export const useGrainMs = 60 * 1000;

/**
 * Notes in a blob's file that somebody has use for it: in its modification time, which nothing else needs. (Access times
 * come for free, but not on every machine, and also when blobs are only read to be checked.)
 *
 * @param stats of the file just now
 * @returns false when somebody has removed it meanwhile
 */
export function noteUse(path: string | Buffer, { mtimeMs }: Stats): boolean {
  const nowMs = Date.now();
  return mtimeMs > nowMs - useGrainMs || setLastUse(path, nowMs);
}

/** @returns false when it is not there */
export function setLastUse(path: string | Buffer, ms: number): boolean {
  try {
    utimesSync(path, ms / 1000, ms / 1000);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    // A store of somebody else's, or read-only: there it is not known.
    if (!isErrno(error, 'EPERM', 'EACCES', 'EROFS')) throw error;
  }
  return true;
}
