import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import * as assert from 'uvu/assert';
import { chunksOfFile, collect } from '../../cas/chunks.ts';
import { digestOf } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { hashFile } from '../../master/hash-file.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const mebibyte = 1024 * 1024;

/** A file of that size with a few bytes here and there. */
function makeSparse(path: string, sizeBytes: number, offsets: readonly number[]): void {
  closeSync(openSync(path, 'wx'));
  truncateSync(path, sizeBytes);
  const file = openSync(path, 'r+');
  for (const offset of offsets) writeSync(file, `data at ${offset}`, offset);
  closeSync(file);
}

/** What this process has read from files. */
function readBytes(): number {
  return Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))![1]);
}

const allocatedBytes = (path: string) => statSync(path).blocks * 512;

suite('Sparse files', (test) => {
  test('chunksOfFile() gives the same bytes as reading them all, wherever the data is', async () => {
    await using dir = await tempDir();
    const size = 64 * mebibyte + 12_345;
    const places = [
      [],
      [0],
      [size - 30],
      [0, size - 30],
      [1, 5 * mebibyte - 3, 20 * mebibyte, 20 * mebibyte + 70_000],
    ];
    for (const [index, offsets] of places.entries()) {
      const path = dir.join(`file-${index}`);
      makeSparse(path, size, offsets);
      const file = await open(path);
      const content = await collect(chunksOfFile(file), size);
      await file.close();
      assert.ok(content.equals(readFileSync(path)), `data at ${offsets}`);
    }
  });

  test('chunksOfFile() ends where the file ends now, when it was cut or has grown since', async () => {
    for (const sizeBytes of [40 * mebibyte, 70 * mebibyte]) {
      await using dir = await tempDir();
      const path = dir.join('file');
      makeSparse(path, 64 * mebibyte, [0, 50 * mebibyte]);
      const file = await open(path);
      let length = 0;
      for await (const chunk of chunksOfFile(file)) {
        if (length === 0) truncateSync(path, sizeBytes);
        length += chunk.byteLength;
      }
      await file.close();
      assert.ok(length >= Math.min(sizeBytes, 50 * mebibyte) && length <= 70 * mebibyte, String(length));
    }
  });

  test('importFile() and exportFile() keep holes, and cost what the data costs', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    const size = 1024 * mebibyte;
    makeSparse(dir.join('image'), size, [0, 700_000_000, size - 100]);
    const before = readBytes();
    const digest = await store.importFile(dir.join('image'));
    assert.is(digest.sizeBytes, size);
    assert.ok(await store.verify(digest));
    await store.exportFile(digest, dir.join('exported'), { mode: 0o600 });
    assert.equal((await hashFile(dir.join('exported'))).digest, digest);
    assert.ok(readBytes() - before < 60 * mebibyte, `${readBytes() - before} bytes read`);
    assert.is(statSync(dir.join('exported')).size, size);
    for (const path of [dir.join('exported'), store.pathOf(digest)])
      assert.ok(allocatedBytes(path) < 8 * mebibyte, `${path}: ${allocatedBytes(path)} bytes`);
  });

  test('the digest is that of the bytes', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    makeSparse(dir.join('image'), 40 * mebibyte, [3 * mebibyte]);
    const expected = digestOf(readFileSync(dir.join('image')));
    assert.equal(await store.importFile(dir.join('image')), expected);
    assert.equal((await hashFile(dir.join('image'))).digest, expected);
  });

  test('a file that was preallocated keeps its size', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    execFileSync('fallocate', ['-l', '48M', dir.join('preallocated')]);
    const digest = await store.importFile(dir.join('preallocated'));
    await store.exportFile(digest, dir.join('exported'));
    assert.is(statSync(dir.join('exported')).size, 48 * mebibyte);
  });
});

suite('Large blobs', (test) => {
  test('are hashed once, and again when something has been done to them', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    const content = Buffer.alloc(20 * mebibyte, 'content');
    const digest = digestOf(content);
    await store.put(digest, content);
    const before = readBytes();
    assert.ok(await store.verify(digest));
    assert.ok(readBytes() - before < mebibyte, 'not read again');
    execFileSync(
      'sh',
      ['-c', 'chmod u+w "$0" && printf X | dd of="$0" bs=1 seek=12345678 conv=notrunc', store.pathOf(digest)],
      {
        stdio: 'ignore',
      },
    );
    assert.not(await store.verify(digest), 'found bad');
  });

  test('that go bad are found when they are exported, however old the last use is', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    const content = Buffer.alloc(20 * mebibyte, 'content');
    const digest = digestOf(content);
    await store.put(digest, content);
    execFileSync(
      'sh',
      [
        '-c',
        'chmod u+w "$0" && printf X | dd of="$0" bs=1 conv=notrunc && touch -d 2020-01-01 "$0"',
        store.pathOf(digest),
      ],
      {
        stdio: 'ignore',
      },
    );
    const thrown = await store.exportFile(digest, dir.join('exported')).catch((error) => error);
    assert.is(thrown.code, 'digest-mismatch');
  });
});
