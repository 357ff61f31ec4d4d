import { type BigIntStats, lstatSync } from 'node:fs';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { equalSignatures, type StatCache, type StatSignature, signatureOf } from '../cas/stat-cache.ts';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { nowNs } from './hash-file.ts';

/** A digest and the signature of the file that it is of. */
export interface Signed {
  digest: Digest;
  signature: StatSignature;
}

const maxAttempts = 4;

/**
 * The digest of a file as it is now: from the stat cache, else by copying the file into the store, where executors will
 * want it.
 *
 * @param stats of the file, just taken
 * @throws a system error when it cannot be read; AppError `unstable-file` when it does not stay the same long enough
 */
export async function digestOfFile(
  path: string,
  stats: BigIntStats,
  { cache, store }: { cache: StatCache; store: FileBlobStore },
): Promise<Signed> {
  let signature = signatureOf(stats);
  const cached = await cache.get(path);
  if (cached && equalSignatures(cached, signature)) return { digest: cached.digest, signature };
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const readAtNs = nowNs();
    const digest = await store.importFile(path);
    const after = signatureOf(lstatSync(fsPath(path), { bigint: true }));
    if (equalSignatures(signature, after) && digest.sizeBytes === signature.sizeBytes) {
      cache.record(path, signature, digest, readAtNs);
      return { digest, signature };
    }
    signature = after;
  }
  throw new AppError(`Cannot read "${path}": it keeps changing`, { code: 'unstable-file' });
}
