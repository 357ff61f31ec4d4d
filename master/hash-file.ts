import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { chunksOfFile } from '../cas/chunks.ts';
import { DigestHasher, digestOf } from '../cas/digest.ts';
import { equalSignatures, signatureOf } from '../cas/stat-cache.ts';
import type { Digest } from '../protocol/digest.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { expectPlace } from './expect-place.ts';
import { systemError } from './system-error.ts';

/** A digest and the state of the file that it is of. */
export interface HashedFile {
  digest: Digest;
  stats: BigIntStats;
  /** When reading began, by the system's clock. */
  readAtNs: bigint;
  /** Whether the file stayed the same from before to after it was read. */
  isStable: boolean;
}

/** Up to this size files are read in one go: less than a millisecond. */
export const smallFileBytes = 1024 * 1024;
/** Neither follows a symlink that has taken the file's place, nor waits for the writer of a FIFO. */
export const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Judges an opened file before it is read; throws when it is not to be. */
export type Admit = (stats: BigIntStats, descriptor: number) => void;

const scratch = Buffer.allocUnsafeSlow(smallFileBytes + 1);

/** @returns undefined for what is larger than `smallFileBytes` @throws what `admit` throws; a system error */
export function hashSmallFile(path: string, admit: Admit = expectFile(path)): HashedFile | undefined {
  const readAtNs = nowNs();
  const descriptor = openSync(fsPath(path), openFlags);
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    admit(stats, descriptor);
    if (stats.size > smallFileBytes) return undefined;
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, scratch, length, scratch.length - length, null);
      if (count === 0) break;
      length += count;
      if (length === scratch.length) return undefined;
    }
    const after = fstatSync(descriptor, { bigint: true });
    return {
      digest: digestOf(scratch.subarray(0, length)),
      stats,
      readAtNs,
      isStable: isSame(stats, after, length),
    };
  } finally {
    closeSync(descriptor);
  }
}

/** The same for files of any size, without keeping the event loop. */
export async function hashFile(path: string, admit: Admit = expectFile(path)): Promise<HashedFile> {
  const readAtNs = nowNs();
  const file: FileHandle = await open(fsPath(path), openFlags);
  try {
    const stats = await file.stat({ bigint: true });
    admit(stats, file.fd);
    const hasher = new DigestHasher();
    for await (const chunk of chunksOfFile(file, { reuse: true })) hasher.update(chunk);
    const digest = hasher.digest();
    const after = await file.stat({ bigint: true });
    return { digest, stats, readAtNs, isStable: isSame(stats, after, digest.sizeBytes) };
  } finally {
    await file.close();
  }
}

export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

function isSame(before: BigIntStats, after: BigIntStats, readBytes: number): boolean {
  return equalSignatures(signatureOf(before), signatureOf(after)) && Number(after.size) === readBytes;
}

/** A regular file at its place: a folder on the way may have become a symlink to anywhere. */
function expectFile(path: string): Admit {
  return (stats, descriptor) => {
    if (!stats.isFile()) throw systemError('EINVAL', `no regular file: "${path}"`);
    expectPlace(descriptor, path);
  };
}
