import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import {
  type Directory,
  decodeDirectory,
  encodeDirectory,
  usageOfDirectory,
  usageOfFile,
} from '../../cas/directory.ts';
import { AppError } from '../../runtime/app-error.ts';
import { decodeBytes } from '../../runtime/byte-path.ts';
import { golden, goldenPath } from '../fixtures/golden.ts';
import { randomOf } from '../harness/random.ts';
import { suite } from '../harness/suite.ts';

interface GoldenDirectory {
  file: string;
  name: string;
  canonical: boolean;
  content: null | {
    files: (GoldenNode & { digest: GoldenDigest; isExecutable: boolean })[];
    directories: { name: string; digest: GoldenDigest }[];
    symlinks: (GoldenNode & { target: string })[];
    unixMode: number | null;
    mtime: GoldenTime;
  };
}

interface GoldenNode {
  name: string;
  unixMode: number | null;
  mtime: GoldenTime;
}

type GoldenTime = null | { seconds: string; nanos: number };
type GoldenDigest = null | { hash: string; sizeBytes: string };

const cases = golden<GoldenDirectory[]>('directories.json');

suite('directory: byte-exact examples', (test) => {
  for (const { file, name, canonical, content } of cases) {
    const bytes = withSafeSizes(readFileSync(goldenPath(file)));
    if (content === null) {
      test(`decodeDirectory() refuses ${file}: ${name}`, () => assertBad(bytes));
      continue;
    }
    const expected = directoryOf(content);
    test(`decodeDirectory() reads ${file}: ${name}`, () => {
      assert.equal(decodeDirectory(bytes), expected);
    });
    // We always write modes: what was made without them is spelt another way.
    if (canonical && content.files.every(({ unixMode }) => unixMode !== null)) {
      test(`encodeDirectory() writes ${file}`, () => {
        assert.is(encodeDirectory(expected).toString('hex'), bytes.toString('hex'));
      });
    }
  }
});

suite('directory', (test) => {
  test('tells what something takes on the disk only where it is not what its size wants', () => {
    assert.equal(usageOfFile({ sizeBytes: 5000, blocks: 16 }), {});
    assert.equal(usageOfFile({ sizeBytes: 5000, blocks: 0 }), { blocks: 0 });
    assert.equal(usageOfDirectory({ sizeBytes: 4096, blocks: 8 }), {});
    const usage = { sizeBytes: 0, blocks: 0 };
    const directory: Directory = {
      files: [{ name: 'a', type: 'file', digest: digestOf(new Uint8Array(5000)), mode: 0o644, blocks: 8 }],
      directories: [],
      symlinks: [{ name: 'b', target: 'a', blocks: 8 }],
      ...{ mode: 0o755, ...usageOfDirectory(usage) },
    };
    assert.equal(decodeDirectory(encodeDirectory(directory)), directory);
    assert.is(directory.sizeBytes, 0);
  });

  test('tells of one with more in it than is shown', () => {
    const partial: Directory = { files: [], directories: [], symlinks: [], isPartial: true };
    const bytes = encodeDirectory(partial);
    // As in native/test/directory_test.c.
    assert.is(bytes.toString('hex'), '2a03b00101');
    assert.equal(decodeDirectory(bytes), partial);
  });

  const sample: Directory = {
    files: [
      { name: 'a.c', type: 'file', digest: digestOf(Buffer.from('a')), mode: 0o644, mtimeNs: 1n },
      { name: 'run', type: 'file', digest: digestOf(Buffer.from('r')), mode: 0o4755, mtimeNs: -1n },
      { name: 'tube', type: 'fifo', digest: { hash: '', sizeBytes: 0 }, mode: 0o600 },
    ],
    directories: [{ name: 'sub', digest: digestOf(Buffer.from('s')) }],
    symlinks: [{ name: 'z\udcff', target: '../\udc80\udcfe' }],
    mode: 0o2775,
    mtimeNs: 1_700_000_000_123_456_789n,
  };

  test('decodeDirectory() reads what encodeDirectory() writes', () => {
    assert.equal(decodeDirectory(encodeDirectory(sample)), sample);
  });

  test('randomised directories survive the round trip', () => {
    const random = randomOf(20_260);
    for (let round = 0; round < 300; round++) {
      const directory = randomDirectory(random);
      assert.equal(decodeDirectory(encodeDirectory(directory)), directory);
    }
  });

  test('no cut of a directory is taken for a whole one, except between its fields', () => {
    const bytes = encodeDirectory(sample);
    const whole = [...Array(bytes.length).keys()].filter((length) => {
      try {
        decodeDirectory(bytes.subarray(0, length));
        return true;
      } catch (error) {
        assert.instance(error, AppError);
        return false;
      }
    });
    // Nothing, and after each of the three files, the directory and the link.
    assert.is(whole.length, 6);
  });

  test('random damage ends in a directory or in bad-directory', () => {
    const random = randomOf(7);
    const bytes = encodeDirectory(sample);
    for (let round = 0; round < 5000; round++) {
      const damaged = Buffer.from(bytes);
      for (let i = 0; i <= random(3); i++) damaged[random(damaged.length)] = random(256);
      try {
        decodeDirectory(damaged);
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === 'bad-directory', String(error));
      }
    }
  });

  test('decodeDirectory() refuses names out of order, twice, or impossible', () => {
    const symlink = (name: string) => ({ name, target: 't' });
    for (const symlinks of [
      [symlink('b'), symlink('a')],
      [symlink('a'), symlink('a')],
      [symlink('')],
      [symlink('.')],
      [symlink('..')],
      [symlink('a/b')],
      [symlink('a\0')],
    ]) {
      assertBad(encodeDirectory({ files: [], directories: [], symlinks }));
    }
    assertBad(encodeDirectory({ files: [], directories: [{ name: 'a' }], symlinks: [symlink('a')] }));
  });
});

/** One golden file holds a size beyond what a number can hold exactly: here, the largest that it can. */
function withSafeSizes(bytes: Buffer): Buffer {
  const beyond = Buffer.from('8180808080808010', 'hex');
  const at = bytes.indexOf(beyond);
  if (at >= 0) Buffer.from('ffffffffffffff0f', 'hex').copy(bytes, at);
  return bytes;
}

function assertBad(bytes: Uint8Array): void {
  try {
    decodeDirectory(bytes);
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'bad-directory', String(error));
    return;
  }
  assert.unreachable('expected bad-directory');
}

function directoryOf(content: NonNullable<GoldenDirectory['content']>): Directory {
  return {
    files: content.files.map(({ name, digest, isExecutable, unixMode, mtime }) => {
      const mode = unixMode ?? (isExecutable ? 0o755 : 0o644);
      return {
        name: text(name),
        type: (mode & 0o170000) === 0o010000 ? 'fifo' : 'file',
        digest: digestOfGolden(digest) ?? { hash: '', sizeBytes: 0 },
        mode: mode & 0o7777,
        ...timeOf(mtime),
      };
    }),
    directories: content.directories.map(({ name, digest }) => ({
      name: text(name),
      ...(digest ? { digest: digestOfGolden(digest)! } : {}),
    })),
    symlinks: content.symlinks.map(({ name, target, unixMode, mtime }) => ({
      name: text(name),
      target: text(target),
      ...(unixMode === null ? {} : { mode: unixMode }),
      ...timeOf(mtime),
    })),
    ...(content.unixMode === null ? {} : { mode: content.unixMode }),
    ...timeOf(content.mtime),
  };
}

function digestOfGolden(digest: GoldenDigest) {
  return (
    digest && { hash: digest.hash, sizeBytes: Math.min(Number(digest.sizeBytes), Number.MAX_SAFE_INTEGER) }
  );
}

function timeOf(mtime: GoldenTime): { mtimeNs?: bigint } {
  return mtime ? { mtimeNs: BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanos) } : {};
}

function text(hex: string): string {
  return decodeBytes(Buffer.from(hex, 'hex'));
}

function randomDirectory(random: (limit: number) => number): Directory {
  const names = new Map<string, Buffer>();
  for (let i = 0; i < random(30); i++) {
    const bytes = Buffer.from(
      Array.from({ length: 1 + random(12) }, () => 1 + random(255)).filter((byte) => byte !== 47),
    );
    if (bytes.length > 0 && !/^\.{1,2}$/.test(bytes.toString('latin1')))
      names.set(bytes.toString('hex'), bytes);
  }
  const directory: Directory = { files: [], directories: [], symlinks: [] };
  for (const bytes of [...names.values()].sort(Buffer.compare)) {
    const name = decodeBytes(bytes);
    const kind = random(4);
    const mtimeNs = BigInt(random(2 ** 31)) * 1_000_000_007n - 2n ** 50n;
    if (kind === 0) directory.directories.push({ name, digest: digestOf(bytes) });
    else if (kind === 1) directory.symlinks.push({ name, target: name });
    else
      directory.files.push({ name, type: 'file', digest: digestOf(bytes), mode: random(0o10000), mtimeNs });
  }
  return directory;
}
