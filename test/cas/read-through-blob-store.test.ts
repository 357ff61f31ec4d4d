import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import { ReadThroughBlobStore } from '../../cas/read-through-blob-store.ts';
import type { Digest } from '../../protocol/digest.ts';
import { assertRejects, readAll } from '../contracts/blob-store.ts';
import { contentOf } from '../contracts/content.ts';
import { suite } from '../harness/suite.ts';

/** Counts what it is asked, and can be held. */
class FarStore extends MemoryBlobStore {
  readonly asked: number[] = [];
  hold: Promise<void> = Promise.resolve();
  failure: Error | undefined;

  override async getMany(digests: readonly Digest[]): Promise<(Buffer | undefined)[]> {
    this.asked.push(digests.length);
    await this.hold;
    if (this.failure) throw this.failure;
    return super.getMany(digests);
  }

  override async read(digest: Digest): Promise<AsyncIterable<Uint8Array> | undefined> {
    this.asked.push(1);
    await this.hold;
    return super.read(digest);
  }
}

async function rig(contents: Buffer[]) {
  const near = new MemoryBlobStore();
  const far = new FarStore();
  for (const content of contents) await far.put(digestOf(content), content);
  return { near, far, store: new ReadThroughBlobStore(near, far), digests: contents.map(digestOf) };
}

suite('ReadThroughBlobStore', (test) => {
  const small = contentOf(1000, 1);
  const large = contentOf(2 * 1024 * 1024, 2);

  test('fetches what the near store lacks, once', async () => {
    for (const content of [small, large]) {
      const { near, far, store, digests } = await rig([content]);
      assert.ok((await store.get(digests[0]!))!.equals(content));
      assert.ok((await near.get(digests[0]!))!.equals(content));
      assert.ok((await readAll((await store.read(digests[0]!))!)).equals(content));
      assert.equal(far.asked, [1]);
    }
  });

  test('many callers share one fetch', async () => {
    for (const content of [small, large]) {
      const { far, store, digests } = await rig([content]);
      const results = await Promise.all(Array.from({ length: 10 }, () => store.get(digests[0]!)));
      for (const result of results) assert.ok(result!.equals(content));
      assert.equal(far.asked, [1]);
    }
  });

  test('getMany() fetches many small blobs with one request', async () => {
    const contents = Array.from({ length: 50 }, (_value, i) => contentOf(100 + i, i));
    const { near, far, store, digests } = await rig(contents);
    await near.put(digests[7]!, contents[7]!);
    const absent = digestOf(Buffer.from('absent'));
    const results = await store.getMany([...digests, absent, digests[0]!]);
    assert.equal(results, [...contents, undefined, contents[0]]);
    assert.equal(far.asked, [50]);
  });

  test('fill() tells what is nowhere', async () => {
    const { near, store, digests } = await rig([small, large]);
    const absent = digestOf(Buffer.from('absent'));
    assert.equal(await store.fill([digests[0]!, absent, digests[1]!]), [absent]);
    assert.equal(await near.findMissing([...digests, absent]), [absent]);
    assert.equal(await store.fill([absent]), [absent]);
  });

  test('a caller who aborts does not end the fetch of another', async () => {
    const { far, store, digests } = await rig([small]);
    let release!: () => void;
    far.hold = new Promise((resolve) => {
      release = resolve;
    });
    const aborter = new AbortController();
    const first = store.get(digests[0]!, { signal: aborter.signal });
    const second = store.get(digests[0]!);
    const rejected = assertRejects(() => first, /changed my mind/);
    // Both wait for the far store now.
    await new Promise(setImmediate);
    aborter.abort(new Error('changed my mind'));
    await rejected;
    release();
    assert.ok((await second)!.equals(small));
    assert.equal(far.asked, [1]);
  });

  test('a failed fetch is an error for all who wait, and is tried again by the next', async () => {
    const { far, store, digests } = await rig([small]);
    far.failure = new Error('far store is down');
    await Promise.all([1, 2].map(() => assertRejects(() => store.get(digests[0]!), /is down/)));
    far.failure = undefined;
    assert.ok((await store.get(digests[0]!))!.equals(small));
  });
});
