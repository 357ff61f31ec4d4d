import { z } from 'zod';
import { type Digest, digestSchema } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import type { HttpClient } from '../runtime/http-client.ts';
import { maxBatchBlobBytes, maxBatchCount } from './blob-server.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { chunksOf, collect } from './chunks.ts';
import { digestOf, emptyDigest, equalDigests, expectDigest, formatDigest } from './digest.ts';
import { verifyChunks } from './verify-chunks.ts';

const digestsSchema = z.array(digestSchema);
/** Keeps an answer below what should be lost by a cut connection. */
const maxBatchBytes = maxBatchBlobBytes;
/** Whoever says how large a blob is may have made that up. */
const maxInMemoryBytes = 256 * 1024 * 1024;

/**
 * Another machine's store, through blob-server.ts. All that arrives is hashed before it is handed out. Errors, beside
 * those of the contract: those of HttpClient.
 */
export class HttpBlobStore implements BlobStore {
  readonly #client: HttpClient;

  /** @param client stays the caller's, who closes it */
  constructor(client: HttpClient) {
    this.#client = client;
  }

  async findMissing(digests: readonly Digest[], options: BlobOptions = {}): Promise<Digest[]> {
    const wanted = [...new Map(digests.map((digest) => [formatDigest(digest), digest])).values()];
    const missing: Digest[] = [];
    for (let start = 0; start < wanted.length; start += maxBatchCount) {
      const batch = wanted.slice(start, start + maxBatchCount);
      missing.push(...(await this.#client.postJson('/blobs/find-missing', batch, digestsSchema, options)));
    }
    return missing;
  }

  async get(digest: Digest, options: BlobOptions = {}): Promise<Buffer | undefined> {
    if (digest.sizeBytes > maxInMemoryBytes) {
      throw new AppError(`${this.#client.url}: blob ${formatDigest(digest)} is too large for memory`, {
        code: 'blob-too-large',
      });
    }
    const chunks = await this.read(digest, options);
    return chunks && collect(chunks, digest.sizeBytes);
  }

  async getMany(digests: readonly Digest[], options: BlobOptions = {}): Promise<(Buffer | undefined)[]> {
    const blobs: (Buffer | undefined)[] = [];
    while (blobs.length < digests.length) {
      const next = digests[blobs.length]!;
      if (next.sizeBytes > maxBatchBlobBytes) {
        blobs.push(await this.get(next, options));
        continue;
      }
      const batch = cutBatch(digests, blobs.length);
      const { body } = await this.#client.request({
        method: 'POST',
        path: '/blobs/get-many',
        json: batch,
        signal: options.signal,
      });
      const source = new ByteReader(body, this.#client.url);
      for (const digest of batch) {
        const isPresent = (await source.read(1))[0] === 1;
        const blob = isPresent ? await source.read(digest.sizeBytes) : undefined;
        if (blob) expectDigest(digest, digestOf(blob), this.#place);
        blobs.push(blob);
      }
      await source.end();
    }
    return blobs;
  }

  async read(digest: Digest, { signal }: BlobOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (equalDigests(digest, emptyDigest)) return chunksOf(new Uint8Array());
    const path = `/blobs/${formatDigest(digest)}`;
    const { status, body } = await this.#client.request(
      { method: 'GET', path, signal },
      { allowAbsent: true },
    );
    if (status === 200) return verifyChunks(digest, body, this.#place);
    // Read, so that the connection is free again.
    for await (const _chunk of body);
    return undefined;
  }

  async put(
    digest: Digest,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    { signal }: BlobOptions = {},
  ): Promise<void> {
    const path = `/blobs/${formatDigest(digest)}`;
    const isBytes = content instanceof Uint8Array;
    if (isBytes) expectDigest(digest, digestOf(content), `Cannot send blob to ${this.#client.url}`);
    const body = isBytes ? { bytes: content } : { stream: content };
    const answer = await this.#client.request({ method: 'PUT', path, ...body, signal });
    for await (const _chunk of answer.body);
  }

  get #place(): string {
    return `${this.#client.url}: bad content`;
  }
}

/** The next digests from `start` on, at least one, which is not too large. */
function cutBatch(digests: readonly Digest[], start: number): Digest[] {
  let end = start;
  let sizeBytes = 0;
  do sizeBytes += digests[end++]!.sizeBytes;
  while (
    end < digests.length &&
    end - start < maxBatchCount &&
    sizeBytes + digests[end]!.sizeBytes <= maxBatchBytes
  );
  return digests.slice(start, end);
}

/** Cuts a stream into pieces of given lengths. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #place: string;
  #rest: Buffer = Buffer.alloc(0);

  constructor(body: AsyncIterable<Buffer>, place: string) {
    this.#chunks = body[Symbol.asyncIterator]();
    this.#place = place;
  }

  /** @throws AppError `bad-answer` when the stream ends before */
  async read(length: number): Promise<Buffer> {
    const parts = [this.#rest];
    let have = this.#rest.length;
    while (have < length) {
      const { done, value } = await this.#chunks.next();
      if (done) throw this.#malformed('ends too early');
      parts.push(value);
      have += value.length;
    }
    const all = parts.length === 1 ? this.#rest : Buffer.concat(parts, have);
    this.#rest = all.subarray(length);
    return all.subarray(0, length);
  }

  async end(): Promise<void> {
    if (this.#rest.length > 0 || !(await this.#chunks.next()).done) throw this.#malformed('goes on');
  }

  #malformed(problem: string): AppError {
    return new AppError(`${this.#place}: answer ${problem}`, { code: 'bad-answer' });
  }
}
