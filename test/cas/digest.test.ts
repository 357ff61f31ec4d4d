import * as assert from 'uvu/assert';
import { DigestHasher, digestOf, emptyDigest, formatDigest, parseDigest, rawKey } from '../../cas/digest.ts';
import { AppError } from '../../runtime/app-error.ts';
import { suite } from '../harness/suite.ts';

suite('digest', (test) => {
  test('digestOf() is BLAKE3-256 in lower-case hex', () => {
    // Source: test_vectors.json of the BLAKE3 repository, input lengths 0 and 3 (bytes 0, 1, 2).
    assert.is(emptyDigest.hash, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
    assert.equal(digestOf(Buffer.from([0, 1, 2])), {
      hash: 'e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f',
      sizeBytes: 3,
    });
  });

  test('digestOf() takes a view for what it shows only', () => {
    const whole = Buffer.from('xabcx');
    assert.equal(digestOf(whole.subarray(1, 4)), digestOf(Buffer.from('abc')));
  });

  test('DigestHasher gives the digest of its pieces put together', () => {
    const bytes = Buffer.alloc(300_000, 'termite');
    const hasher = new DigestHasher();
    for (let start = 0; start < bytes.length; start += 7_777)
      hasher.update(bytes.subarray(start, start + 7_777));
    assert.equal(hasher.digest(), digestOf(bytes));
    assert.equal(
      hasher.update(Buffer.from('!')).digest(),
      digestOf(Buffer.concat([bytes, Buffer.from('!')])),
    );
  });

  test('parseDigest() reads what formatDigest() writes', () => {
    const digest = digestOf(Buffer.from('hello'));
    assert.equal(parseDigest(formatDigest(digest)), digest);
  });

  test('parseDigest() refuses every other spelling', () => {
    const { hash } = emptyDigest;
    for (const text of [
      '',
      hash,
      `${hash}/`,
      `${hash}/-1`,
      `${hash}/01`,
      `${hash}/1.5`,
      `${hash.toUpperCase()}/0`,
    ]) {
      assert.throws(
        () => parseDigest(text),
        (error: unknown) => error instanceof AppError && error.code === 'bad-digest',
      );
    }
    assert.throws(() => parseDigest(`../../${hash.slice(6)}/0`), /Cannot read digest/);
    assert.throws(() => parseDigest(`${hash}/9999999999999999`), /Cannot read digest/);
  });

  test('rawKey() is the hash in 32 bytes', () => {
    assert.is(rawKey(emptyDigest).toString('hex'), emptyDigest.hash);
    assert.is(rawKey(emptyDigest).length, 32);
  });
});
