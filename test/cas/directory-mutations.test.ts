import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { decodeDirectory, encodeDirectory } from '../../cas/directory.ts';
import { AppError } from '../../runtime/app-error.ts';
import { goldenPath } from '../fixtures/golden.ts';
import { mutateBytes } from '../harness/mutate.ts';
import { suite } from '../harness/suite.ts';

const seeds = readdirSync(goldenPath('.'))
  .filter((name) => name.startsWith('directory-'))
  .map((name) => readFileSync(goldenPath(name)));

suite('decodeDirectory', (test) => {
  test('decodeDirectory() and encodeDirectory() keep times beyond what a number can hold', () => {
    const directory = {
      files: [],
      directories: [],
      symlinks: [],
      mtimeNs: (2n ** 53n + 1n) * 1_000_000_000n,
    };
    assert.equal(decodeDirectory(encodeDirectory(directory)), directory);
  });

  test('decodeDirectory() of mutated blobs gives what encodes to the same, or throws bad-directory', () => {
    let count = 0;
    mutateBytes(seeds, (blob) => {
      try {
        const directory = decodeDirectory(blob);
        assert.equal(decodeDirectory(encodeDirectory(directory)), directory);
        count += 1;
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'bad-directory')) throw error;
      }
    });
    assert.ok(count > 20, 'too few could be decoded');
  });
});
