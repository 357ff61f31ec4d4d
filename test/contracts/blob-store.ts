import * as assert from 'uvu/assert';
import type { BlobStore } from '../../cas/blob-store.ts';
import { chunksOf } from '../../cas/chunks.ts';
import { digestOf, emptyDigest } from '../../cas/digest.ts';
import type { Digest } from '../../protocol/digest.ts';
import { AppError } from '../../runtime/app-error.ts';
import { suite } from '../harness/suite.ts';
import { contentOf } from './content.ts';

export interface BlobStoreRig extends AsyncDisposable {
  store: BlobStore;
  /** Replaces the content of a stored blob behind the store's back; required of stores that others could change. */
  corrupt?: (digest: Digest, content: Buffer) => Promise<void>;
}

/** Around the limits at which implementations change their ways: nothing, small, one and several chunks. */
const sizes = [0, 1, 1000, 64 * 1024, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024 + 17];

/** The contract of BlobStore (cas/blob-store.ts), as tests over one implementation. */
export function blobStoreContract(options: {
  name: string;
  create: () => Promise<BlobStoreRig>;
  /** Whether `corrupt` is part of the rig. */
  canCorrupt?: boolean;
}): void {
  suite(`${options.name} as BlobStore`, (test) => {
    test('get(), getMany() and read() give what put() took, whatever its size', async () => {
      await using rig = await options.create();
      for (const [i, size] of sizes.entries()) {
        const content = contentOf(size, i);
        await rig.store.put(digestOf(content), content);
        await assertHas(rig.store, content);
      }
    });

    test('put() takes streams', async () => {
      await using rig = await options.create();
      for (const [i, size] of sizes.entries()) {
        const content = contentOf(size, i + 100);
        await rig.store.put(digestOf(content), streamOf(content, 100_000));
        await assertHas(rig.store, content);
      }
    });

    test('content of zeros only keeps its length', async () => {
      await using rig = await options.create();
      for (const size of [70_000, 2 * 1024 * 1024, 2 * 1024 * 1024 + 5]) {
        const content = Buffer.alloc(size);
        await rig.store.put(digestOf(content), streamOf(content, 1024 * 1024));
        await assertHas(rig.store, content);
      }
    });

    test('absent blobs are undefined', async () => {
      await using rig = await options.create();
      const absent = digestOf(Buffer.from('absent'));
      const present = Buffer.from('present');
      await rig.store.put(digestOf(present), present);
      assert.is(await rig.store.get(absent), undefined);
      assert.is(await rig.store.read(absent), undefined);
      const many = await rig.store.getMany([absent, digestOf(present), absent, emptyDigest]);
      assert.equal(many, [undefined, present, undefined, Buffer.alloc(0)]);
      assert.equal(await rig.store.getMany([]), []);
    });

    test('the empty blob always exists', async () => {
      await using rig = await options.create();
      assert.equal(await rig.store.get(emptyDigest), Buffer.alloc(0));
      assert.equal(await readAll((await rig.store.read(emptyDigest))!), Buffer.alloc(0));
      assert.equal(await rig.store.findMissing([emptyDigest]), []);
      await rig.store.put(emptyDigest, new Uint8Array());
    });

    test('findMissing() gives the absent ones in order, each once', async () => {
      await using rig = await options.create();
      const [a, b, c] = ['a', 'b', 'c'].map((text) => digestOf(Buffer.from(text))) as [
        Digest,
        Digest,
        Digest,
      ];
      await rig.store.put(b, Buffer.from('b'));
      assert.equal(await rig.store.findMissing([c, b, a, c, emptyDigest, a]), [c, a]);
      assert.equal(await rig.store.findMissing([]), []);
    });

    test('findMissing() takes many digests', async () => {
      await using rig = await options.create();
      const digests = Array.from({ length: 10_000 }, (_value, i) => digestOf(Buffer.from(`absent ${i}`)));
      assert.equal(await rig.store.findMissing(digests), digests);
    });

    test('put() rejects other content and leaves nothing behind', async () => {
      await using rig = await options.create();
      for (const size of [10, 2 * 1024 * 1024]) {
        const content = contentOf(size, 1);
        const digest = digestOf(content);
        for (const bad of [content.subarray(1), Buffer.concat([content, Buffer.from('x')]), flip(content)]) {
          await assertMismatch(() => rig.store.put(digest, bad));
          await assertMismatch(() => rig.store.put(digest, streamOf(bad, 50_000)));
          assert.equal(await rig.store.findMissing([digest]), [digest]);
        }
        await rig.store.put(digest, content);
        await assertHas(rig.store, content);
      }
    });

    test('put() rejects with the error of the stream and leaves nothing behind', async () => {
      await using rig = await options.create();
      for (const size of [10, 2 * 1024 * 1024]) {
        const content = contentOf(size, 2);
        const digest = digestOf(content);
        await assertRejects(
          () => rig.store.put(digest, breaking(content)),
          /stream broke|connection|reached/,
        );
        assert.equal(await rig.store.findMissing([digest]), [digest]);
      }
    });

    test('put() of what is there is a no-op', async () => {
      await using rig = await options.create();
      const content = contentOf(5000, 3);
      await rig.store.put(digestOf(content), content);
      await rig.store.put(digestOf(content), content);
      await rig.store.put(digestOf(content), streamOf(content, 1000));
      await assertHas(rig.store, content);
    });

    test('a blob asked for under another size is not handed out', async () => {
      await using rig = await options.create();
      const content = contentOf(1000, 4);
      const digest = digestOf(content);
      await rig.store.put(digest, content);
      for (const sizeBytes of [999, 1001, 5 * 1024 * 1024]) {
        const wrong = { hash: digest.hash, sizeBytes };
        assert.equal(await rig.store.findMissing([wrong]), [wrong]);
        for (const ask of [
          () => rig.store.get(wrong),
          async () => (await rig.store.getMany([wrong]))[0],
          async () => {
            const chunks = await rig.store.read(wrong);
            return chunks && readAll(chunks);
          },
        ]) {
          const outcome = await ask().catch((error) => error);
          assert.ok(outcome === undefined || outcome instanceof Error, `handed out ${sizeBytes} bytes`);
        }
      }
      await assertHas(rig.store, content);
    });

    test('many callers may put and get the same blob at once', async () => {
      await using rig = await options.create();
      for (const size of [5000, 1024 * 1024 + 100]) {
        const content = contentOf(size, 5);
        const digest = digestOf(content);
        await Promise.all(
          Array.from({ length: 8 }, async (_value, i) => {
            await rig.store.put(digest, i % 2 ? content : streamOf(content, 77_777));
            assert.ok((await rig.store.get(digest))!.equals(content));
          }),
        );
        await assertHas(rig.store, content);
      }
    });

    test('what a caller does to bytes given or received changes nothing', async () => {
      await using rig = await options.create();
      const content = contentOf(1000, 6);
      const digest = digestOf(content);
      const given = Buffer.from(content);
      await rig.store.put(digest, given);
      given.fill(0);
      (await rig.store.get(digest))!.fill(1);
      await assertHas(rig.store, content);
    });

    test('a stream of a large blob may be left early', async () => {
      await using rig = await options.create();
      const content = contentOf(5 * 1024 * 1024, 7);
      await rig.store.put(digestOf(content), content);
      for (let round = 0; round < 5; round++) {
        for await (const chunk of (await rig.store.read(digestOf(content)))!) {
          assert.ok(chunk.byteLength > 0);
          break;
        }
      }
      await assertHas(rig.store, content);
    });

    test('an aborted signal rejects', async () => {
      await using rig = await options.create();
      const content = contentOf(2 * 1024 * 1024, 8);
      const aborter = new AbortController();
      const reason = new Error('changed my mind');
      const chunks = (async function* () {
        yield content.subarray(0, 1024 * 1024);
        aborter.abort(reason);
        yield content.subarray(1024 * 1024);
      })();
      const signal = aborter.signal;
      await assertRejects(() => rig.store.put(digestOf(content), chunks, { signal }), /changed my mind/);
      await assertRejects(() => rig.store.put(digestOf(content), content, { signal }), /changed my mind/);
      assert.equal(await rig.store.findMissing([digestOf(content)]), [digestOf(content)]);
    });

    if (options.canCorrupt) {
      test('bad content is an error, never data, and can be replaced', async () => {
        await using rig = await options.create();
        for (const size of [1000, 3 * 1024 * 1024]) {
          const content = contentOf(size, 9);
          const digest = digestOf(content);
          for (const bad of [
            flip(content),
            content.subarray(0, -1),
            Buffer.concat([content, Buffer.from('x')]),
          ]) {
            for (const ask of [
              () => rig.store.get(digest),
              () => rig.store.getMany([digest]),
              async () => readAll((await rig.store.read(digest))!),
            ]) {
              await rig.store.put(digest, content);
              await rig.corrupt!(digest, bad);
              await assertMismatch(ask);
            }
          }
          await rig.corrupt!(digest, content);
          await assertHas(rig.store, content);
        }
      });
    }
  });
}

export function flip(content: Buffer): Buffer {
  const flipped = Buffer.from(content);
  const middle = content.length >> 1;
  flipped[middle] = flipped[middle]! ^ 1;
  return flipped;
}

export async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function assertRejects(action: () => Promise<unknown>, pattern: RegExp): Promise<void> {
  const outcome = await action().then(
    () => undefined,
    (error) => error,
  );
  assert.instance(outcome, Error, `expected a rejection like ${pattern}`);
  assert.match(`${outcome.message} ${outcome.cause ?? ''}`, pattern);
}

export async function assertMismatch(action: () => Promise<unknown>): Promise<void> {
  const outcome = await action().then(
    () => undefined,
    (error) => error,
  );
  assert.instance(outcome, AppError, `expected digest-mismatch, got ${outcome}`);
  assert.is(outcome.code, 'digest-mismatch', outcome.message);
  assert.is(outcome.category, 'infrastructure');
}

async function assertHas(store: BlobStore, content: Buffer): Promise<void> {
  const digest = digestOf(content);
  assert.equal(await store.findMissing([digest]), []);
  assert.ok((await store.get(digest))!.equals(content), 'get');
  assert.ok((await readAll((await store.read(digest))!)).equals(content), 'read');
  const [one, two] = await store.getMany([digest, digest]);
  assert.ok(one!.equals(content) && two!.equals(content), 'getMany');
}

async function* streamOf(content: Buffer, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += chunkBytes) {
    yield* chunksOf(content.subarray(start, start + chunkBytes));
  }
}

async function* breaking(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, content.length >> 1);
  throw new Error('the stream broke');
}
