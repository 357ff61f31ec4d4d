import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import type { Deviation } from '../../master/compare-manifests.ts';
import { DeviationArchive, type KeepOptions } from '../../master/deviation-archive.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

async function archiveRig() {
  const dir = await tempDir();
  const store = await FileBlobStore.open(join(dir.path, 'cas'));
  const elsewhere = new MemoryBlobStore();
  const kept = join(dir.path, 'kept');
  const archive = new DeviationArchive(kept, store);
  const put = async (content: Buffer, into: FileBlobStore | MemoryBlobStore = store) => {
    const digest = digestOf(content);
    await into.put(digest, content);
    return digest;
  };
  return {
    ...{ kept, elsewhere, put },
    keep: (deviations: Deviation[], more: Partial<KeepOptions> = {}) =>
      archive.keep({
        ...{ name: 'one', line: 'cc -c a.c', labels: ['was', 'is'], deviations, content: elsewhere },
        signal: new AbortController().signal,
        ...more,
      }),
    /** The same file with other content. */
    file: async (path: string, was: Buffer, is: Buffer): Promise<Deviation> => {
      const node = { type: 'file' as const, mode: 0o644, mtimeNs: 1n };
      const digests = [await put(was), await put(is, elsewhere)] as const;
      return {
        ...{ kind: 'path', path },
        was: { ...node, digest: digests[0] },
        is: { ...node, digest: digests[1] },
      };
    },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

suite('DeviationArchive', (test) => {
  test('keeps both versions, also what is not in the store, and says where they part', async () => {
    await using rig = await archiveRig();
    const deviation = await rig.file('sub/a.o', Buffer.from('same one'), Buffer.from('same two'));
    const stdout = await rig.put(Buffer.from('x'), rig.elsewhere);
    const { dir, sentences } = await rig.keep([
      deviation,
      { kind: 'stdout', was: digestOf(Buffer.alloc(0)), is: stdout },
    ]);
    assert.equal(sentences, ['"sub/a.o" differs at byte 5', 'stdout differs at byte 0']);
    const read = (path: string) => readFileSync(join(dir, path), 'utf8');
    assert.equal([read('was/files/sub/a.o'), read('is/files/sub/a.o')], ['same one', 'same two']);
    assert.equal([read('was/stdout'), read('is/stdout')], ['', 'x']);
    assert.is(read('differences'), `cc -c a.c\n\n${sentences.join('\n')}\n`);
  });

  test('finds the first difference far into a large file, and where the shorter one ends', async () => {
    await using rig = await archiveRig();
    const large = Buffer.alloc(3_000_000, 7);
    const other = Buffer.from(large);
    other[2_500_001] = 8;
    const { sentences } = await rig.keep([
      await rig.file('a', large, other),
      await rig.file('b', large, large.subarray(0, 65_536)),
    ]);
    assert.equal(sentences, ['"a" differs at byte 2500001', '"b" differs at byte 65536']);
  });

  test('keeps the only version that there is', async () => {
    await using rig = await archiveRig();
    const deviation = await rig.file('a', Buffer.from('x'), Buffer.from('y'));
    if (deviation.kind !== 'path') throw new Error('not a path');
    const { dir, sentences } = await rig.keep([{ ...deviation, was: null }]);
    assert.equal(sentences, ['"a" is a file with mode 0644 instead of absent']);
    assert.equal(readdirSync(dir).sort(), ['differences', 'is']);
  });

  test('keeps the first 20 things, and tells of all', async () => {
    await using rig = await archiveRig();
    const deviations: Deviation[] = [];
    for (let i = 0; i < 22; i++) deviations.push(await rig.file(`${i}`, Buffer.from('x'), Buffer.from('y')));
    const { dir, sentences } = await rig.keep(deviations);
    assert.equal(sentences.slice(-3), [
      '"19" differs at byte 0',
      '"20" has other content',
      '"21" has other content',
    ]);
    assert.is(readdirSync(join(dir, 'is/files')).length, 20);
  });

  test('keeps the latest 20 commands, each as it was last', async () => {
    await using rig = await archiveRig();
    const deviation = await rig.file('a', Buffer.from('x'), Buffer.from('y'));
    for (let i = 0; i < 22; i++) {
      const { dir } = await rig.keep([deviation], { name: `c${i}` });
      utimesSync(dir, i, i);
    }
    assert.is(readdirSync(rig.kept).length, 20);
    assert.not(existsSync(join(rig.kept, 'c1')));
    const { dir } = await rig.keep([{ kind: 'links', path: 'a' }], { name: 'c21' });
    assert.equal(readdirSync(dir), ['differences']);
  });
});
