import { lstatSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { decodeDirectory, encodeDirectory } from '../../cas/directory.ts';
import { Snapshot } from '../../master/snapshot.ts';
import { DirectoryNode, FileNode, type Node, SymlinkNode } from '../../master/tree-node.ts';
import { randomOf } from '../harness/random.ts';
import { suite } from '../harness/suite.ts';

const fileStats = lstatSync('/etc/passwd', { bigint: true });
const directoryStats = lstatSync('/etc', { bigint: true });

suite('Snapshot', (test) => {
  for (const seed of [1, 2, 3]) {
    test(`encodes a large directory after changes as if from the beginning (seed ${seed})`, () => {
      const random = randomOf(seed);
      const names = Array.from(
        { length: 400 },
        (_, i) => `${'näme\udcff-'.slice(0, random(7))}${(i * 7919) % 997}`,
      );
      const make = (name: string): Node => {
        const kind = random(4);
        if (kind === 0) return new SymlinkNode(name, fileStats, `${random(1000)}`);
        if (kind === 1) return new DirectoryNode(name, directoryStats);
        return new FileNode(name, fileStats, digestOf(Buffer.from(`${random(1000)}`)));
      };
      const snapshot = emptySnapshot();
      for (let round = 0; round < 40; round++) {
        for (let i = random(round % 7 === 0 ? 300 : 20); i >= 0; i--) {
          const name = names[random(names.length)]!;
          const present = snapshot.root.children.get(name);
          if (present && random(3) === 0) snapshot.detach(present);
          else if (present?.type === 'directory' && random(2) === 0)
            snapshot.attach(present, make(names[random(9)]!));
          else snapshot.attach(snapshot.root, make(name));
        }
        const digest = snapshot.rootDigest();
        const blob = snapshot.directoryBlob(digest)!;
        assert.equal(digestOf(blob), digest);
        const directory = decodeDirectory(blob);
        assert.equal(encodeDirectory(directory), blob, 'canonical');
        const shown = [...directory.files, ...directory.directories, ...directory.symlinks].map(
          ({ name }) => name,
        );
        assert.equal(shown.sort(), [...snapshot.root.children.keys()].sort());
        for (const { name, digest: child } of directory.directories) {
          const node = snapshot.root.children.get(name);
          assert.equal(node?.type === 'directory' && node.digest, child);
        }
        for (const { name, digest: content } of directory.files) {
          const node = snapshot.root.children.get(name);
          assert.equal(node?.type === 'file' && node.digest, content);
        }
      }
    });
  }

  test('finds files by content while they are part of the tree', () => {
    const snapshot = emptySnapshot();
    const digest = digestOf(Buffer.from('content'));
    const [a, b] = [new FileNode('a', fileStats, digest), new FileNode('b', fileStats, digest)];
    snapshot.attach(snapshot.root, a);
    snapshot.attach(snapshot.root, b);
    assert.is(snapshot.fileCount, 2);
    snapshot.detach(a);
    assert.is(snapshot.fileWith(digest), b);
    snapshot.attach(snapshot.root, new FileNode('b', fileStats, digestOf(Buffer.from('other'))));
    assert.is(snapshot.fileWith(digest), undefined);
    assert.is(snapshot.fileCount, 1);
  });

  test('looks up paths', () => {
    const snapshot = emptySnapshot();
    const directory = new DirectoryNode('dir', directoryStats);
    snapshot.attach(snapshot.root, directory);
    const file = new FileNode('file', fileStats, digestOf(Buffer.from('')));
    snapshot.attach(directory, file);
    assert.is(snapshot.lookup(''), snapshot.root);
    assert.is(snapshot.lookup('dir'), directory);
    assert.is(snapshot.lookup('dir/file'), file);
    for (const path of ['dir/none', 'none', 'none/none', 'dir/file/none'])
      assert.is(snapshot.lookup(path), undefined);
    snapshot.detach(directory);
    assert.is(snapshot.lookup('dir/file'), undefined);
    assert.is(snapshot.fileCount, 0);
  });
});

function emptySnapshot(): Snapshot {
  return new Snapshot({ stats: directoryStats, spill: () => {} });
}
