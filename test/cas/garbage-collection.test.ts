import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf, emptyDigest } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { collectGarbage, dropBlobs, verifyStore } from '../../cas/garbage-collection.ts';
import type { Digest } from '../../protocol/digest.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';

const hourMs = 60 * 60 * 1000;
const kib = 1024;

/** A store with blobs of 1 KiB, the first one used longest ago: so many hours as there are blobs. */
async function storeOf(dir: TempDir, count: number): Promise<{ store: FileBlobStore; digests: Digest[] }> {
  const store = await FileBlobStore.open(dir.join('cas'));
  const digests: Digest[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.alloc(kib, i + 1);
    digests.push(digestOf(bytes));
    await store.put(digests[i]!, bytes);
    age(store, digests[i]!, count - i);
  }
  return { store, digests };
}

function age(store: FileBlobStore, digest: Digest, hours: number): void {
  const time = (Date.now() - hours * hourMs) / 1000;
  utimesSync(store.pathOf(digest), time, time);
}

const present = (store: FileBlobStore, digests: readonly Digest[]) =>
  digests.map((digest) => store.holds(digest));

suite('collectGarbage()', (test) => {
  test('drops what was used longest ago until the rest fits', async () => {
    await using dir = await tempDir();
    const { store, digests } = await storeOf(dir, 4);
    const size = await collectGarbage(store, { maxBytes: 2 * kib + 100, nowMs: Date.now() });
    assert.equal(present(store, digests), [false, false, true, true]);
    // The empty blob is among them.
    assert.equal(size, { blobCount: 3, sizeBytes: 2 * kib, droppedCount: 2 });
  });

  for (const [what, use] of [
    ['found', (store: FileBlobStore, digest: Digest) => store.findMissing([digest])],
    ['verified', (store: FileBlobStore, digest: Digest) => store.verify(digest)],
    ['put again', (store: FileBlobStore, digest: Digest) => store.put(digest, Buffer.alloc(kib, 1))],
  ] as const) {
    test(`knows that a blob was ${what} lately`, async () => {
      await using dir = await tempDir();
      const { store, digests } = await storeOf(dir, 3);
      await use(store, digests[0]!);
      await collectGarbage(store, { maxBytes: kib, nowMs: Date.now() + hourMs });
      assert.equal(present(store, digests), [true, false, false]);
    });
  }

  test('takes a file that is copied into the store for used now, whatever time it has', async () => {
    await using dir = await tempDir();
    const { store, digests } = await storeOf(dir, 1);
    for (const [year, name] of [
      [1980, 'old'],
      [2100, 'future'],
    ] as const) {
      const path = dir.write(name, name);
      utimesSync(path, new Date(year, 1), new Date(year, 1));
      const digest = await store.importFile(path);
      assert.ok(Math.abs(statSync(store.pathOf(digest)).mtimeMs - Date.now()) < hourMs / 2);
      digests.push(digest);
    }
    await collectGarbage(store, { maxBytes: 0, nowMs: Date.now() });
    assert.equal(present(store, digests), [false, true, true], 'what is in use stays, however large');
    await collectGarbage(store, { maxBytes: 0, nowMs: Date.now() + hourMs });
    assert.equal(present(store, [...digests, emptyDigest]), [false, false, false, true]);
  });

  test('by several processes at once drops no more than by one', async () => {
    await using dir = await tempDir();
    const { store, digests } = await storeOf(dir, 200);
    const other = await FileBlobStore.open(dir.join('cas'));
    const options = { maxBytes: 50 * kib, nowMs: Date.now() };
    await Promise.all([collectGarbage(store, options), collectGarbage(other, options)]);
    assert.is(present(store, digests).filter(Boolean).length, 50);
  });
});

suite('dropBlobs()', (test) => {
  test('drops those named, but what is in use', async () => {
    await using dir = await tempDir();
    const { store, digests } = await storeOf(dir, 3);
    await store.findMissing([digests[0]!]);
    const hashes = new Set([digests[0]!.hash, digests[1]!.hash, emptyDigest.hash]);
    const size = await dropBlobs(store, { hashes, nowMs: Date.now() });
    assert.equal(present(store, [...digests, emptyDigest]), [true, false, true, true]);
    assert.is(size.droppedCount, 1);
  });
});

suite('verifyStore()', (test) => {
  test('drops what is bad, and is no use of what is good', async () => {
    await using dir = await tempDir();
    const { store, digests } = await storeOf(dir, 2);
    const before = statSync(store.pathOf(digests[1]!)).mtimeMs;
    const bad = store.pathOf(digests[0]!);
    writeFileSync(bad, Buffer.alloc(kib, 9));
    assert.equal(await verifyStore(store), { blobCount: 2, sizeBytes: kib, droppedCount: 1 });
    assert.not(existsSync(bad));
    assert.ok(Math.abs(statSync(store.pathOf(digests[1]!)).mtimeMs - before) < 1000);
    assert.equal(readdirSync(dir.join('cas/tmp')), []);
  });
});
