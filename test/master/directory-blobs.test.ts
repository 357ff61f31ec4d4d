import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { DirectoryBlobs } from '../../master/directory-blobs.ts';
import { suite } from '../harness/suite.ts';

const blob = (text: string) => {
  const bytes = Buffer.from(text);
  return { bytes, digest: digestOf(bytes) };
};

suite('DirectoryBlobs', (test) => {
  test('keeps what is current, and of the rest what was replaced last', () => {
    const spilled: string[] = [];
    const blobs = new DirectoryBlobs({
      maxFormerBytes: 5,
      spill: (digest, bytes) => {
        assert.equal(digest, digestOf(bytes));
        spilled.push(bytes.toString());
      },
    });
    const [a, b, c] = [blob('aaa'), blob('bb'), blob('cccc')];
    for (const { digest, bytes } of [a, b, c, c]) blobs.add(digest, bytes);
    blobs.release(a.digest);
    blobs.release(b.digest);
    assert.is(blobs.get(a.digest)?.toString(), 'aaa');
    blobs.release(c.digest);
    assert.equal(spilled, [], 'still current somewhere else');
    blobs.release(c.digest);
    assert.equal(spilled, ['aaa', 'bb']);
    assert.is(blobs.get(a.digest), undefined);
    assert.is(blobs.get(c.digest)?.toString(), 'cccc');
  });

  test('takes back a former blob that is current again', () => {
    const blobs = new DirectoryBlobs({ maxFormerBytes: 3, spill: () => assert.unreachable() });
    const [a, b] = [blob('aaa'), blob('bbb')];
    blobs.add(a.digest, a.bytes);
    blobs.release(a.digest);
    blobs.add(a.digest, a.bytes);
    blobs.add(b.digest, b.bytes);
    blobs.release(b.digest);
    assert.is(blobs.get(a.digest)?.toString(), 'aaa');
  });
});
