import { closeSync, fchmodSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { fsPath } from '../runtime/byte-path.ts';

/**
 * Up to this size files are read and written by synchronous calls: 10 KB take 7 µs to read and 60 µs to write and
 * rename so, 200 µs by promises.
 */
export const smallFileBytes = 1024 * 1024;

// One byte more than asked for tells that a file is longer than it should be.
const scratch = Buffer.allocUnsafeSlow(smallFileBytes + 1);

/**
 * What is left to read of an open file, if that is no more than `limitBytes` (at most `smallFileBytes`); else
 * undefined. The result is valid until the next call.
 */
export function readSmallFile(file: number, limitBytes: number): Buffer | undefined {
  for (let length = 0; ; ) {
    const wanted = limitBytes + 1 - length;
    const count = readSync(file, scratch, length, wanted, null);
    length += count;
    // A short read of a regular file is its end.
    if (count < wanted) return scratch.subarray(0, length);
    if (length > limitBytes) return undefined;
  }
}

/** Writes a new file with exactly this mode; leaves nothing when that fails. @throws EEXIST */
export function writeSmallFile(path: string, content: Uint8Array, mode: number): void {
  const file = openSync(fsPath(path), 'wx', 0o600);
  let isComplete = false;
  try {
    for (let done = 0; done < content.byteLength; ) {
      done += writeSync(file, content, done, content.byteLength - done);
    }
    fchmodSync(file, mode);
    isComplete = true;
  } finally {
    closeSync(file);
    if (!isComplete) unlinkSync(fsPath(path));
  }
}
