import { z } from 'zod';
import { type Digest, digestSchema } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import type { HttpCall, Route } from '../runtime/http-server.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { formatDigest, parseDigest } from './digest.ts';

/** What one question may be about, and what one blob of many may have: what is larger is to be had by itself, as a stream. */
export const maxBatchCount = 4096;
export const maxBatchBlobBytes = 32 * 1024 * 1024;
const digestsSchema = z.array(digestSchema).max(maxBatchCount);
const smallDigestsSchema = z
  .array(digestSchema.refine(({ sizeBytes }) => sizeBytes <= maxBatchBlobBytes, { error: 'is too large' }))
  .max(maxBatchCount);
const batchBytes = 8 * 1024 * 1024;

/** A store that can at least be read. */
export type ReadableBlobs = Pick<BlobStore, 'get' | 'getMany' | 'read'> & Partial<BlobStore>;

/** A store for those who may only read. */
export function readOnly(store: BlobStore): ReadableBlobs {
  return {
    get: (digest, options) => store.get(digest, options),
    getMany: (digests, options) => store.getMany(digests, options),
    read: (digest, options) => store.read(digest, options),
  };
}

/**
 * Routes that give a store to HttpBlobStore:
 *
 * - `GET /blobs/<hash>/<size>`: the bytes, or 404
 * - `PUT /blobs/<hash>/<size>`: 204; 400 when the bytes are not those
 * - `POST /blobs/find-missing`: JSON Digest[] → JSON Digest[]
 * - `POST /blobs/get-many`: JSON Digest[] → for each one byte, 0 for absent or 1, and after a 1 its bytes
 *
 * PUT and find-missing exist for stores that have `put` and `findMissing`.
 */
export function blobRoutes(store: ReadableBlobs): Route[] {
  const routes: Route[] = [
    {
      method: 'GET',
      path: '/blobs/:hash/:size',
      async handle(call) {
        const digest = digestOfCall(call);
        const stream = await store.read(digest, call);
        if (stream) return { stream, sizeBytes: digest.sizeBytes };
        throw new AppError(`No blob ${formatDigest(digest)}`, {
          code: 'blob-missing',
          category: 'not-found',
        });
      },
    },
    {
      method: 'POST',
      path: '/blobs/get-many',
      async handle(call) {
        return { stream: encodeMany(store, await call.json(smallDigestsSchema), call) };
      },
    },
  ];
  const { put, findMissing } = store;
  if (put) {
    routes.push({
      method: 'PUT',
      path: '/blobs/:hash/:size',
      async handle(call) {
        await put.call(store, digestOfCall(call), call.body(), call);
        return {};
      },
    });
  }
  if (findMissing) {
    routes.push({
      method: 'POST',
      path: '/blobs/find-missing',
      async handle(call) {
        return { json: await findMissing.call(store, await call.json(digestsSchema), call) };
      },
    });
  }
  return routes;
}

function digestOfCall({ params }: HttpCall): Digest {
  return parseDigest(`${params.hash}/${params.size}`);
}

async function* encodeMany(
  store: ReadableBlobs,
  digests: readonly Digest[],
  options: BlobOptions,
): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < digests.length; ) {
    let sizeBytes = 0;
    let end = start;
    // At least one, however large.
    do sizeBytes += digests[end++]!.sizeBytes;
    while (end < digests.length && sizeBytes + digests[end]!.sizeBytes <= batchBytes);
    const blobs = await store.getMany(digests.slice(start, end), options);
    yield Buffer.concat(blobs.flatMap((blob) => (blob ? [present, blob] : [absent])));
    start = end;
  }
}

const absent = Buffer.from([0]);
const present = Buffer.from([1]);
