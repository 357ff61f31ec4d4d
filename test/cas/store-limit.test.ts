import { utimesSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { StoreLimit } from '../../cas/store-limit.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const hourMs = 60 * 60 * 1000;

suite('StoreLimit', (test) => {
  test('enforce() looks once an hour for all processes, and at once for a smaller limit', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('cas'));
    let nowMs = Date.now();
    const limitOf = (maxBytes: number) =>
      new StoreLimit(store, { maxBytes, clock: { nowMs: () => nowMs }, onNotice: assert.unreachable });
    await using large = limitOf(2000);
    await using same = limitOf(2000);
    await using small = limitOf(1000);
    const digests = [1, 2, 3].map((byte) => digestOf(Buffer.alloc(900, byte)));
    /** With three old blobs of 900 bytes. @returns how many are left */
    const leftBy = async (limit: StoreLimit) => {
      for (const [index, digest] of digests.entries()) {
        await store.put(digest, Buffer.alloc(900, index + 1));
        utimesSync(store.pathOf(digest), 1e9, 1e9);
      }
      await limit.enforce();
      return digests.filter((digest) => store.holds(digest)).length;
    };
    assert.is(await leftBy(large), 2);
    assert.is(await leftBy(same), 3, 'that was just done');
    assert.is(await leftBy(small), 1);
    assert.is(await leftBy(large), 3);
    nowMs += hourMs + 1000;
    assert.is(await leftBy(same), 2);
  });

  test('enforce() tells what keeps it from working, and goes on', async () => {
    await using dir = await tempDir();
    const notices: string[] = [];
    const onNotice = (message: string) => void notices.push(message);
    const options = { maxBytes: 1, clock: { nowMs: Date.now }, onNotice };
    await using limit = new StoreLimit({ dir: dir.join('none') }, options);
    await limit.enforce();
    assert.match(notices.join(), /^The size of the store is not kept: ENOENT/);
  });
});
