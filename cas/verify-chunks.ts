import type { Digest } from '../protocol/digest.ts';
import { DigestHasher, expectDigest } from './digest.ts';

/**
 * Passes a stream on while hashing it. Its last chunk is handed out only when all of it was good.
 *
 * @throws AppError `digest-mismatch`, at the latest at the end of the stream
 */
export async function* verifyChunks(
  digest: Digest,
  chunks: AsyncIterable<Uint8Array>,
  place: string,
): AsyncGenerator<Uint8Array> {
  const hasher = new DigestHasher();
  for await (const chunk of chunks) {
    hasher.update(chunk);
    if (hasher.sizeBytes >= digest.sizeBytes) expectDigest(digest, hasher.digest(), place);
    yield chunk;
  }
  expectDigest(digest, hasher.digest(), place);
}
