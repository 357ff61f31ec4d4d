import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { formatDigest } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { ByteLru } from '../../executor/byte-lru.ts';
import { Content } from '../../executor/content.ts';
import type { Digest } from '../../protocol/digest.ts';
import { AppError } from '../../runtime/app-error.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { DiskOrigin } from './disk-origin.ts';

const big = Buffer.alloc(1_000_000, 'big');

async function contentRig() {
  const dir = await tempDir();
  const store = await FileBlobStore.open(dir.join('cas'));
  const origin = new DiskOrigin();
  const make = (override: Partial<ConstructorParameters<typeof Content>[0]> = {}) =>
    new Content({
      name: 'rig',
      store,
      source: origin.blobs,
      directories: new ByteLru(1_000_000),
      ...override,
    });
  return {
    dir,
    store,
    origin,
    make,
    content: make(),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

suite('Content', (test) => {
  test('provide() asks the source only for what does not come into the store by itself', async () => {
    await using rig = await contentRig();
    const [near, far] = [Buffer.from('near'), Buffer.from('far')];
    const [nearDigest, farDigest] = [rig.origin.add(near), rig.origin.add(far)];
    const fill = async (digest: Digest) => {
      if (digest.hash === nearDigest.hash) await rig.store.put(digest, near);
      return digest.hash === nearDigest.hash;
    };
    const content = rig.make({ fill });
    assert.ok((await content.provide(nearDigest)).ok);
    assert.equal(rig.origin.asked.batches, []);
    assert.ok((await content.provide(farDigest)).ok);
    assert.is(rig.origin.asked.batches.length, 1);
    assert.equal([await rig.store.get(nearDigest), await rig.store.get(farDigest)], [near, far]);
  });

  test('provide() fetches a blob into the store, once', async () => {
    await using rig = await contentRig();
    for (const bytes of [Buffer.from('small'), big]) {
      const digest = rig.origin.add(bytes);
      assert.ok((await rig.content.provide(digest)).ok);
      assert.equal(await rig.store.get(digest), bytes);
      assert.ok((await rig.content.provide(digest)).ok);
    }
    assert.is(rig.origin.asked.batches.length, 1);
    assert.is(rig.origin.asked.read.length, 1);
  });

  test('provide() fetches once for all who ask meanwhile', async () => {
    await using rig = await contentRig();
    const digest = rig.origin.add(big);
    const results = await Promise.all(Array.from({ length: 20 }, () => rig.content.provide(digest)));
    assert.ok(results.every(({ ok }) => ok));
    assert.is(rig.origin.asked.read.length, 1);
  });

  test('provide() asks for many small blobs in one request', async () => {
    await using rig = await contentRig();
    const digests = Array.from({ length: 50 }, (_, index) => rig.origin.add(Buffer.from(`blob ${index}`)));
    const results = await Promise.all(digests.map((digest) => rig.content.provide(digest)));
    assert.ok(results.every(({ ok }) => ok));
    assert.equal(await rig.store.findMissing(digests), []);
    assert.is(rig.origin.asked.batches.length, 1);
  });

  test('provide() finds a corrupt blob, drops it and fetches it again', async () => {
    await using rig = await contentRig();
    for (const bytes of [Buffer.from('small'), big]) {
      const digest = rig.origin.add(bytes);
      await rig.content.provide(digest);
      const path = rig.store.pathOf(digest);
      chmodSync(path, 0o644);
      writeFileSync(path, Buffer.alloc(bytes.length, 'x'));
      assert.ok((await rig.content.provide(digest)).ok);
      assert.equal(await rig.store.get(digest), bytes);
      chmodSync(path, 0o644);
      writeFileSync(path, 'short');
      assert.ok((await rig.content.provide(digest)).ok);
      assert.equal(await rig.store.get(digest), bytes);
    }
  });

  test('provide() fails with `content-missing` when the origin does not have it, or has something else', async () => {
    await using rig = await contentRig();
    for (const bytes of [Buffer.from('small'), big]) {
      const digest = rig.origin.add(bytes);
      const missing = { ok: false, failure: { reason: 'content-missing', digest: formatDigest(digest) } };
      rig.origin.contents.delete(digest.hash);
      assert.equal(await rig.content.provide(digest), missing);
      rig.origin.contents.set(digest.hash, Buffer.alloc(bytes.length, 'x'));
      assert.equal(await rig.content.provide(digest), missing);
      assert.not.ok(existsSync(rig.store.pathOf(digest)));
    }
  });

  test('provide() fails with `sandbox` when the origin cannot be asked, and can be tried again', async () => {
    await using rig = await contentRig();
    const digest = rig.origin.add(Buffer.from('x'));
    rig.origin.trouble = () => {
      throw new Error('nobody there');
    };
    const result = await rig.content.provide(digest);
    assert.is(result.ok ? '' : result.failure.reason, 'sandbox');
    rig.origin.trouble = undefined;
    assert.ok((await rig.content.provide(digest)).ok);
  });

  test('provide() fails with `disk-full` when the store is', async () => {
    await using rig = await contentRig();
    const put = () => Promise.reject(new AppError('No space', { code: 'disk-full' }));
    const content = rig.make({ store: { verify: async () => false, put } });
    const result = await content.provide(rig.origin.add(Buffer.from('x')));
    assert.equal(result, { ok: false, failure: { reason: 'disk-full', executor: 'rig' } });
  });

  test('directory() keeps blobs in memory, not in the store', async () => {
    await using rig = await contentRig();
    const digest = rig.origin.add(Buffer.from('directory'));
    assert.is(rig.content.knownDirectory(digest), undefined);
    const [first, second] = await Promise.all([rig.content.directory(digest), rig.content.directory(digest)]);
    assert.equal(first, { ok: true, value: Buffer.from('directory') });
    assert.equal(second, first);
    assert.ok(rig.content.knownDirectory(digest));
    await rig.content.directory(digest);
    assert.is(rig.origin.asked.batches.length, 1);
    assert.equal(await rig.store.findMissing([digest]), [digest]);
  });

  test('directory() fails with `content-missing` for what is not there', async () => {
    await using rig = await contentRig();
    const digest = rig.origin.add(Buffer.from('directory'));
    rig.origin.contents.clear();
    const result = await rig.content.directory(digest);
    assert.is(result.ok ? '' : result.failure.reason, 'content-missing');
  });
});

suite('ByteLru', (test) => {
  test('set() forgets what was not used for longest', () => {
    const cache = new ByteLru(10);
    cache.set('a', Buffer.alloc(4));
    cache.set('b', Buffer.alloc(4));
    cache.get('a');
    cache.set('c', Buffer.alloc(4));
    assert.equal(
      ['a', 'b', 'c'].map((key) => cache.get(key)?.length),
      [4, undefined, 4],
    );
  });

  test('set() counts a replaced blob once and does not keep one beyond the bound', () => {
    const cache = new ByteLru(10);
    for (let time = 0; time < 5; time++) cache.set('a', Buffer.alloc(6));
    cache.set('b', Buffer.alloc(4));
    assert.ok(cache.get('a') && cache.get('b'));
    cache.set('huge', Buffer.alloc(11));
    assert.is(cache.get('huge'), undefined);
  });
});
