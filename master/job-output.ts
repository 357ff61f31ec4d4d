import type { BlobStore } from '../cas/blob-store.ts';
import type { Digest } from '../protocol/digest.ts';
import type { Manifest } from '../protocol/job.ts';
import type { Caller } from './caller.ts';

type Content = Pick<BlobStore, 'read' | 'getMany'>;

/** What a job printed is kept in memory up to here; more goes through the store. */
const maxInMemoryBytes = 256 * 1024;
export const maxChunkBytes = 256 * 1024;

/** What a job printed, on this machine. */
export interface JobOutput {
  stdout: Digest;
  stderr: Digest;
  small: Map<string, Buffer>;
}

/**
 * Brings what a job printed here, before anything of the job is applied: later it could not be had any more.
 *
 * @returns the digest of what is not to be had as a string
 */
export async function fetchOutput(
  { stdout, stderr }: Pick<Manifest, 'stdout' | 'stderr'>,
  { content, store, signal }: { content: Content; store: BlobStore; signal: AbortSignal },
): Promise<JobOutput | string> {
  const wanted = [stdout, stderr].filter(({ sizeBytes }) => sizeBytes > 0);
  const small = wanted.filter(({ sizeBytes }) => sizeBytes <= maxInMemoryBytes);
  const blobs = small.length > 0 ? await content.getMany(small, { signal }) : [];
  const missing = small.find((_, index) => blobs[index] === undefined);
  if (missing) return missing.hash;
  for (const digest of await store.findMissing(wanted.filter((digest) => !small.includes(digest)))) {
    const chunks = await content.read(digest, { signal });
    if (!chunks) return digest.hash;
    await store.put(digest, chunks, { signal });
  }
  return { stdout, stderr, small: new Map(small.map(({ hash }, index) => [hash, blobs[index]!])) };
}

/** Hands it to the caller: all of stdout, then all of stderr, as fast as the caller reads. */
export async function sendOutput(output: JobOutput, caller: Caller, store: BlobStore): Promise<void> {
  for (const stream of ['stdout', 'stderr'] as const) {
    const digest = output[stream];
    if (digest.sizeBytes === 0) continue;
    const inMemory = output.small.get(digest.hash);
    const chunks = inMemory ? [inMemory] : await store.read(digest);
    if (!chunks) throw new Error(`Internal error: output ${digest.hash} has left the store`);
    for await (const chunk of chunks) {
      for (let start = 0; start < chunk.length; start += maxChunkBytes) {
        await caller.write(stream, chunk.subarray(start, start + maxChunkBytes));
      }
    }
  }
}
