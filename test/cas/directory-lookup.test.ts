import * as assert from 'uvu/assert';
import { decodeDirectory } from '../../cas/directory.ts';
import { lookUpEntry, lookUpSelf } from '../../cas/directory-lookup.ts';
import { directory, fifo, file, MemoryTree, symlink } from '../executor/memory-tree.ts';
import { suite } from '../harness/suite.ts';

function encoded() {
  const { root, blobs } = new MemoryTree([
    ['', directory({ mode: 0o750, mtimeNs: 5n })],
    ['file', file('x'.repeat(300), { mode: 0o600 })],
    ['dir', directory()],
    ['link', symlink('file')],
    ['fifo', fifo()],
    ['é\udcff', file('y')],
  ]).encode();
  return blobs.get(root.hash)!;
}

suite('lookUpEntry()', (test) => {
  test('finds what decoding finds, of each kind, and nothing else', () => {
    const all = decodeDirectory(encoded());
    for (const kind of ['files', 'directories', 'symlinks'] as const) {
      for (const node of all[kind]) {
        const found = lookUpEntry(encoded(), node.name);
        assert.equal(found, { files: [], directories: [], symlinks: [], [kind]: [node] });
      }
    }
    for (const absent of ['fil', 'file2', 'FILE', 'é', ''])
      assert.is(lookUpEntry(encoded(), absent), undefined);
  });

  test('finds the same when it is asked again and again about one blob', () => {
    // As a part of a larger buffer, where offsets are not those of the blob.
    const blob = Buffer.concat([Buffer.from('before'), encoded(), Buffer.from('behind')]).subarray(6, -6);
    const names = ['file', 'dir', 'link', 'fifo', 'é\udcff', 'é', '', 'absent'];
    for (let round = 0; round < 20; round++)
      for (const name of names) assert.equal(lookUpEntry(blob, name), lookUpEntry(encoded(), name), name);
  });

  test('throws `bad-directory` for a blob that is cut short, wherever', () => {
    const blob = encoded();
    for (let length = 1; length < blob.length; length++) {
      try {
        lookUpEntry(blob.subarray(0, length), 'absent');
      } catch (error) {
        assert.is((error as { code?: string }).code, 'bad-directory');
      }
    }
  });
});

suite('lookUpSelf()', (test) => {
  test('gives mode and time of the directory itself', () => {
    assert.equal(lookUpSelf(encoded()), {
      files: [],
      directories: [],
      symlinks: [],
      mode: 0o750,
      mtimeNs: 5n,
    });
    assert.equal(lookUpSelf(new Uint8Array()), { files: [], directories: [], symlinks: [] });
  });
});
