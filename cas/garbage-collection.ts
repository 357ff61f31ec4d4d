import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { FileBlobStore } from './file-blob-store.ts';
import { setLastUse, useGrainMs } from './last-use.ts';

export interface StoreSize {
  blobCount: number;
  sizeBytes: number;
  /** How many blobs were dropped on the way. */
  droppedCount: number;
}

interface Blob {
  hash: string;
  sizeBytes: number;
  usedMs: number;
}

type Store = Pick<FileBlobStore, 'dir'>;

/**
 * What was used this lately may be in use: a master finds all content of a result before it changes any file, and must
 * then be able to go through with it. That takes seconds at most.
 */
const recentMs = 2 * useGrainMs;

/**
 * Drops the blobs whose last use is longest ago (see cas/last-use.ts), until at most `maxBytes` are left. Whoever misses
 * a blob afterwards has to get it elsewhere, or do without. Other processes may use the store meanwhile, also to do the
 * same.
 */
export async function collectGarbage(
  { dir }: Store,
  { maxBytes, nowMs, signal }: { maxBytes: number; nowMs: number; signal?: AbortSignal },
): Promise<StoreSize> {
  const blobs = await listBlobs(dir, signal);
  const size = sizeOf(blobs);
  for (const blob of blobs.sort((a, b) => a.usedMs - b.usedMs)) {
    if (size.sizeBytes <= maxBytes || blob.usedMs > nowMs - recentMs) break;
    if (size.droppedCount % 100 === 99) await breathe(undefined, { signal });
    drop(dir, blob, size);
  }
  return size;
}

/** Drops those of the blobs with these hashes that nobody uses just now. @returns what is left of the store */
export async function dropBlobs(
  { dir }: Store,
  { hashes, nowMs }: { hashes: ReadonlySet<string>; nowMs: number },
): Promise<StoreSize> {
  const blobs = await listBlobs(dir);
  const size = sizeOf(blobs);
  for (const blob of blobs) {
    if (hashes.has(blob.hash) && blob.usedMs <= nowMs - recentMs) drop(dir, blob, size);
  }
  return size;
}

/** Hashes all blobs, and drops those that are bad. To be checked is not to be used. */
export async function verifyStore(store: FileBlobStore): Promise<StoreSize> {
  const size: StoreSize = { blobCount: 0, sizeBytes: 0, droppedCount: 0 };
  for (const { hash, sizeBytes, usedMs } of await listBlobs(store.dir)) {
    await breathe();
    const digest = { hash, sizeBytes };
    const isGood = await store.verify(digest);
    if (isGood) {
      setLastUse(fsPath(store.pathOf(digest)), usedMs);
      size.blobCount += 1;
      size.sizeBytes += sizeBytes;
    } else {
      size.droppedCount += 1;
    }
  }
  return size;
}

async function listBlobs(dir: string, signal?: AbortSignal): Promise<Blob[]> {
  const blobs: Blob[] = [];
  for (const prefix of readdirSync(fsPath(dir), 'utf8').filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    await breathe(undefined, { signal });
    for (const hash of readdirSync(fsPath(`${dir}/${prefix}`), 'utf8')) {
      const stats = statSync(fsPath(`${dir}/${prefix}/${hash}`), { throwIfNoEntry: false });
      if (stats?.isFile()) blobs.push({ hash, sizeBytes: stats.size, usedMs: stats.mtimeMs });
    }
  }
  return blobs;
}

function sizeOf(blobs: readonly Blob[]): StoreSize {
  const sizeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  return { blobCount: blobs.length, sizeBytes, droppedCount: 0 };
}

/** Unless it was used since it was listed. The empty blob, which every store has, takes no room. */
function drop(dir: string, { hash, sizeBytes, usedMs }: Blob, size: StoreSize): void {
  if (sizeBytes === 0) return;
  const path = fsPath(`${dir}/${hash.slice(0, 2)}/${hash}`);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && stats.mtimeMs !== usedMs) return;
  try {
    if (stats) unlinkSync(path);
  } catch (error) {
    // Another process that does the same was faster.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  size.blobCount -= 1;
  size.sizeBytes -= sizeBytes;
  size.droppedCount += 1;
}
