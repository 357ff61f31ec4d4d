import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { fsPath } from '../runtime/byte-path.ts';
import type { FileBlobStore } from './file-blob-store.ts';

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

/** What was used this lately may be in use. */
const recentMs = 10 * 60 * 1000;

/**
 * Drops the blobs whose last use is longest ago, until at most `maxBytes` are left. Use is known to a day or so: the
 * later of writing and of what the file system notes of reading (relatime). Whoever misses a blob afterwards has to get
 * it elsewhere, or do without. Other processes may use the store meanwhile.
 */
export async function collectGarbage(
  { dir }: Pick<FileBlobStore, 'dir'>,
  { maxBytes, nowMs }: { maxBytes: number; nowMs: number },
): Promise<StoreSize> {
  const blobs = await listBlobs(dir);
  let sizeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  let droppedCount = 0;
  for (const { hash, sizeBytes: bytes, usedMs } of blobs.sort((a, b) => a.usedMs - b.usedMs)) {
    if (sizeBytes <= maxBytes || usedMs > nowMs - recentMs) break;
    unlinkSync(fsPath(`${dir}/${hash.slice(0, 2)}/${hash}`));
    sizeBytes -= bytes;
    droppedCount += 1;
  }
  return { blobCount: blobs.length - droppedCount, sizeBytes, droppedCount };
}

/** Hashes all blobs, and drops those that are bad. */
export async function verifyStore(store: FileBlobStore): Promise<StoreSize> {
  const size: StoreSize = { blobCount: 0, sizeBytes: 0, droppedCount: 0 };
  for (const { hash, sizeBytes } of await listBlobs(store.dir)) {
    await breathe();
    const isGood = await store.verify({ hash, sizeBytes });
    if (isGood) {
      size.blobCount += 1;
      size.sizeBytes += sizeBytes;
    } else {
      size.droppedCount += 1;
    }
  }
  return size;
}

async function listBlobs(dir: string): Promise<Blob[]> {
  const blobs: Blob[] = [];
  for (const prefix of readdirSync(fsPath(dir), 'utf8').filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    await breathe();
    for (const hash of readdirSync(fsPath(`${dir}/${prefix}`), 'utf8')) {
      const stats = statSync(fsPath(`${dir}/${prefix}/${hash}`), { throwIfNoEntry: false });
      const usedMs = Math.max(stats?.atimeMs ?? 0, stats?.mtimeMs ?? 0);
      if (stats?.isFile()) blobs.push({ hash, sizeBytes: stats.size, usedMs });
    }
  }
  return blobs;
}
