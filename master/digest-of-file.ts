import type { BigIntStats } from 'node:fs';
import { equalSignatures, type StatCache, type StatSignature, signatureOf } from '../cas/stat-cache.ts';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { type Admit, hashFile, hashSmallFile } from './hash-file.ts';

/** A digest and the signature of the file that it is of. */
interface Signed {
  digest: Digest;
  signature: StatSignature;
}

const maxAttempts = 4;

/**
 * The digest of a file as it is now: from the stat cache, else by reading it.
 *
 * @param stats of the file, just taken
 * @param admit see `Admit`
 * @throws what `admit` throws; a system error when it cannot be read; AppError `unstable-file` when it does not stay the same long enough
 */
export async function digestOfFile(
  path: string,
  stats: BigIntStats,
  cache: StatCache,
  admit: Admit,
): Promise<Signed> {
  const present = signatureOf(stats);
  const cached = await cache.get(path);
  if (cached && equalSignatures(cached, present)) return { digest: cached.digest, signature: present };
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const hashed = hashSmallFile(path, admit) ?? (await hashFile(path, admit));
    if (!hashed.isStable) continue;
    const signature = signatureOf(hashed.stats);
    cache.record(path, signature, hashed.digest, hashed.readAtNs);
    return { digest: hashed.digest, signature };
  }
  throw new AppError(`Cannot read "${path}": it keeps changing`, { code: 'unstable-file' });
}
