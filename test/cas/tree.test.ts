import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { type Directory, decodeDirectory, encodeDirectory } from '../../cas/directory.ts';
import { edit, type TreeEdit } from '../../cas/edit-tree.ts';
import { type DirectorySource, diff, lookUp, walk } from '../../cas/tree.ts';
import type { Digest } from '../../protocol/digest.ts';
import type { TreeNode } from '../../protocol/job.ts';
import { AppError } from '../../runtime/app-error.ts';
import { randomOf } from '../harness/random.ts';
import { suite } from '../harness/suite.ts';

const file = (text: string, mode = 0o644): TreeNode => ({
  type: 'file',
  digest: digestOf(Buffer.from(text)),
  mode,
  mtimeNs: 5n,
});
const directory = (mode = 0o755): TreeNode => ({ type: 'directory', mode, mtimeNs: 7n });

/** Directory blobs in memory, beginning with an empty root. */
class Blobs {
  readonly #blobs = new Map<string, Buffer>();
  root: Digest;
  reads = 0;

  constructor() {
    this.root = this.#add(
      encodeDirectory({ files: [], directories: [], symlinks: [], mode: 0o755, mtimeNs: 7n }),
    );
  }

  readonly source: DirectorySource = async (digest): Promise<Directory> => {
    this.reads += 1;
    return decodeDirectory(this.#blobs.get(digest.hash) ?? assert.unreachable(`no blob ${digest.hash}`)!);
  };

  async edit(edits: TreeEdit[]): Promise<Digest> {
    const { root, blobs } = await edit(this.source, this.root, edits);
    for (const { digest, content } of blobs.values()) assert.equal(this.#add(content), digest);
    return root;
  }

  async list(root: Digest): Promise<Map<string, TreeNode>> {
    const entries = new Map<string, TreeNode>();
    for await (const { path, node } of walk(this.source, root)) entries.set(path, node);
    return entries;
  }

  #add(content: Buffer): Digest {
    const digest = digestOf(content);
    this.#blobs.set(digest.hash, content);
    return digest;
  }
}

async function sample(): Promise<Blobs> {
  const blobs = new Blobs();
  blobs.root = await blobs.edit([
    { path: 'src', node: directory(0o700) },
    { path: 'src/a.c', node: file('a') },
    { path: 'src/deep', node: directory() },
    { path: 'src/deep/x\udcff', node: file('x') },
    { path: 'link', node: { type: 'symlink', target: 'src/a.c' } },
    { path: 'tube', node: { type: 'fifo', mode: 0o600 } },
    { path: 'run', node: file('r', 0o755) },
  ]);
  return blobs;
}

suite('lookUp()', (test) => {
  test('finds every kind of node, and no links on the way', async () => {
    const { source, root } = await sample();
    assert.equal(await lookUp(source, root, ''), directory());
    assert.equal(await lookUp(source, root, 'src'), directory(0o700));
    assert.equal(await lookUp(source, root, 'src/deep/x\udcff'), file('x'));
    assert.equal(await lookUp(source, root, 'link'), { type: 'symlink', target: 'src/a.c' });
    assert.equal(await lookUp(source, root, 'tube'), { type: 'fifo', mode: 0o600 });
    for (const path of ['absent', 'src/absent', 'run/x', 'link/x', 'absent/x']) {
      assert.is(await lookUp(source, root, path), null, path);
    }
  });
});

suite('walk()', (test) => {
  test('gives parents first and siblings sorted by bytes', async () => {
    const blobs = await sample();
    const root = await blobs.edit([{ path: 'src.c', node: file('s') }]);
    assert.equal(
      [...(await blobs.list(root)).keys()],
      ['', 'link', 'run', 'src', 'src/a.c', 'src/deep', 'src/deep/x\udcff', 'src.c', 'tube'],
    );
  });
});

suite('edit()', (test) => {
  test('changes, adds and removes', async () => {
    const blobs = await sample();
    const root = await blobs.edit([
      { path: 'src/a.c', node: file('new') },
      { path: 'src/deep', node: null },
      { path: 'made', node: directory() },
      { path: 'made/b', node: file('b') },
      { path: 'run', node: { type: 'symlink', target: 'elsewhere' } },
      { path: 'tube', node: null },
      { path: 'never-there', node: null },
    ]);
    assert.equal(Object.fromEntries(await blobs.list(root)), {
      '': directory(),
      link: { type: 'symlink', target: 'src/a.c' },
      made: directory(),
      'made/b': file('b'),
      run: { type: 'symlink', target: 'elsewhere' },
      src: directory(0o700),
      'src/a.c': file('new'),
    });
  });

  test('a directory that stays a directory keeps what it holds', async () => {
    const blobs = await sample();
    const root = await blobs.edit([{ path: 'src', node: directory(0o711) }]);
    assert.equal(await lookUp(blobs.source, root, 'src'), directory(0o711));
    assert.equal(await lookUp(blobs.source, root, 'src/a.c'), file('a'));
  });

  test('a directory may take the place of a file, and the other way round', async () => {
    const blobs = await sample();
    const root = await blobs.edit([
      { path: 'run', node: directory() },
      { path: 'run/x', node: file('x') },
      { path: 'src', node: file('s') },
    ]);
    assert.equal([...(await blobs.list(root)).keys()], ['', 'link', 'run', 'run/x', 'src', 'tube']);
  });

  test('no edits and edits to what is there give the same root', async () => {
    const blobs = await sample();
    assert.equal(await blobs.edit([]), blobs.root);
    assert.equal(await blobs.edit([{ path: 'src/deep/x\udcff', node: file('x') }]), blobs.root);
  });

  test('reads only directories on the way to what changes', async () => {
    const blobs = await sample();
    blobs.reads = 0;
    await edit(blobs.source, blobs.root, [{ path: 'src/a.c', node: null }]);
    assert.is(blobs.reads, 2);
  });

  test('refuses what cannot be', async () => {
    const { source, root } = await sample();
    for (const [path, node] of [
      ['absent/x', file('x')],
      ['run/x', file('x')],
      ['', null],
      ['', file('x')],
      ['a//b', file('x')],
      ['../x', file('x')],
      ['src/./x', null],
    ] as const) {
      const error = await edit(source, root, [{ path, node }]).catch((thrown) => thrown);
      assert.ok(error instanceof AppError && error.code === 'bad-edit', `${path}: ${error}`);
    }
  });

  test('random edits give the tree that a plain map gives, and diff() tells how it differs', async () => {
    const random = randomOf(99);
    const names = ['a', 'b', 'b.c', '\udcfe', 'é'];
    for (let round = 0; round < 40; round++) {
      const blobs = new Blobs();
      const model = new Map<string, TreeNode>([['', directory()]]);
      for (let step = 0; step < 6; step++) {
        const before = new Map(model);
        const edits: TreeEdit[] = [];
        const taken = new Set<string>();
        for (let i = 0; i < 5; i++) {
          const parents = [...model].filter(([, node]) => node.type === 'directory').map(([path]) => path);
          const parent = parents[random(parents.length)]!;
          const name = names[random(names.length)]!;
          const path = parent === '' ? name : `${parent}/${name}`;
          // Edits of one batch are about different paths, and none below one that is removed or replaced.
          if (
            [...taken].some(
              (other) => `${path}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${path}/`),
            )
          )
            continue;
          taken.add(path);
          const kind = random(5);
          const node =
            kind === 0
              ? null
              : kind === 1
                ? directory(random(0o1000))
                : file(String(random(50)), random(0o1000));
          edits.push({ path, node });
          if (node?.type !== 'directory') {
            for (const known of [...model.keys()]) if (known.startsWith(`${path}/`)) model.delete(known);
          }
          if (node) model.set(path, node);
          else model.delete(path);
        }
        const oldRoot = blobs.root;
        blobs.root = await blobs.edit(edits);
        const listed = await blobs.list(blobs.root);
        assert.equal([...listed].sort(byPath), [...model].sort(byPath));

        const differences = new Map<string, [TreeNode | null, TreeNode | null]>();
        for await (const { path, before: gone, after } of diff(blobs.source, oldRoot, blobs.root)) {
          assert.not.ok(differences.has(path));
          differences.set(path, [gone, after]);
        }
        const expected = new Map<string, [TreeNode | null, TreeNode | null]>();
        for (const path of new Set([...before.keys(), ...model.keys()])) {
          const pair = [before.get(path) ?? null, model.get(path) ?? null] as [
            TreeNode | null,
            TreeNode | null,
          ];
          if (text(pair[0]) !== text(pair[1])) expected.set(path, pair);
        }
        assert.equal([...differences].sort(byPath), [...expected].sort(byPath));
      }
    }
  });
});

function byPath(a: [string, unknown], b: [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}

function text(node: TreeNode | null): string {
  return JSON.stringify(node, (_key, value) => (typeof value === 'bigint' ? String(value) : value));
}
