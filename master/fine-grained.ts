import { closeSync, fstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

const writes = 20;

/**
 * Whether the file system gives a file a new change time at every write that follows a `stat`, as Linux does from 6.13
 * on for most ("multigrain timestamps"); before, writes within one tick of the clock look alike.
 *
 * @param temporary path of a file to make for this and remove, on the file system in question
 */
export function hasFineGrainedTimes(temporary: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(fsPath(temporary), 'wx', 0o600);
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EROFS', 'EEXIST')) return false;
    throw error;
  }
  try {
    let before = fstatSync(descriptor, { bigint: true }).ctimeNs;
    for (let i = 0; i < writes; i++) {
      writeSync(descriptor, 'x', 0);
      const { ctimeNs } = fstatSync(descriptor, { bigint: true });
      if (ctimeNs === before) return false;
      before = ctimeNs;
    }
    return true;
  } finally {
    closeSync(descriptor);
    unlinkSync(fsPath(temporary));
  }
}
