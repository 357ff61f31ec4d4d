import { closeSync, constants, fchmodSync, fchownSync, fstatSync, futimesSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { BlobOptions } from './blob-store.ts';
import { chunksOfFile } from './chunks.ts';
import { DigestHasher, digestOf } from './digest.ts';
import { readSmallFile, smallFileBytes } from './small-file.ts';

/**
 * Hashes a file on its way into the store, and makes it look like a blob, with permission bits `mode`, if it can be
 * moved there as it is: ours alone, under no further name.
 *
 * @throws AppError `not-a-file` for anything but regular files; system errors, ELOOP for links
 */
export async function examineForAdoption(
  path: string,
  { mode, ...options }: BlobOptions & { mode: number },
): Promise<{ digest: Digest; canMove: boolean }> {
  let canMove: boolean;
  const fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) {
      throw new AppError(`Not a regular file: "${path}"`, { code: 'not-a-file', category: 'caller' });
    }
    canMove = stats.nlink === 1 && takeOver(fd, stats.uid, mode);
    const content = stats.size <= smallFileBytes ? readSmallFile(fd, smallFileBytes) : undefined;
    if (content) return { digest: digestOf(content), canMove };
  } finally {
    closeSync(fd);
  }
  const hasher = new DigestHasher();
  const file = await open(fsPath(path), 'r');
  try {
    for await (const chunk of chunksOfFile(file, { ...options, reuse: true })) hasher.update(chunk);
  } finally {
    await file.close();
  }
  return { digest: hasher.digest(), canMove };
}

/** Its former owner could otherwise make it writable again. */
function takeOver(fd: number, ownerUid: number, mode: number): boolean {
  try {
    if (ownerUid !== process.geteuid!()) fchownSync(fd, process.geteuid!(), process.getegid!());
    fchmodSync(fd, mode);
    // The time of a blob is that of its last use, whatever time a command has given to the file.
    futimesSync(fd, Date.now() / 1000, Date.now() / 1000);
    return true;
  } catch (error) {
    if (isErrno(error, 'EPERM')) return false;
    throw error;
  }
}
