import type { BlobStore } from '../cas/blob-store.ts';
import type { Digest } from '../protocol/digest.ts';

const smallBytes = 1024 * 1024;
const batchBytes = 8 * 1024 * 1024;
const parallelReads = 4;

export interface FetchOptions {
  from: Pick<BlobStore, 'read' | 'getMany'>;
  into: BlobStore;
  signal: AbortSignal;
}

/**
 * Copies blobs from one store to another: small ones in batches, others as streams, four at a time.
 *
 * @param digests without duplicates
 * @returns the first one that is not to be had; undefined: all are there now
 */
export async function fetchContent(
  digests: readonly Digest[],
  { from, into, signal }: FetchOptions,
): Promise<Digest | undefined> {
  let batch: Digest[] = [];
  let size = 0;
  const batches: Digest[][] = [batch];
  for (const digest of digests) {
    if (digest.sizeBytes > smallBytes) continue;
    if (size + digest.sizeBytes > batchBytes && batch.length > 0) {
      batch = [];
      batches.push(batch);
      size = 0;
    }
    batch.push(digest);
    size += digest.sizeBytes;
  }
  for (const wanted of batches) {
    if (wanted.length === 0) continue;
    const contents = await from.getMany(wanted, { signal });
    for (const [i, digest] of wanted.entries()) {
      const content = contents[i];
      if (!content) return digest;
      await into.put(digest, content, { signal });
    }
  }
  let missing: Digest | undefined;
  const large = digests.filter((digest) => digest.sizeBytes > smallBytes);
  const fetchNext = async (): Promise<void> => {
    for (let digest = large.pop(); digest && !missing; digest = large.pop()) {
      const chunks = await from.read(digest, { signal });
      if (chunks) await into.put(digest, chunks, { signal });
      else missing = digest;
    }
  };
  await Promise.all(Array.from({ length: parallelReads }, fetchNext));
  return missing;
}
