import { constants } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { type UpperEntry, UpperFlag } from '../../executor/box-messages.ts';
import { harvest } from '../../executor/harvest.ts';
import { SnapshotTree } from '../../executor/snapshot-tree.ts';
import type { Change, TreeNode } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { directory, fifo, file, MemoryTree, symlink } from './memory-tree.ts';

const { S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR } = constants;
const startedNs = 1_000_000_000_000n;
const finishedNs = 1_001_000_000_000n;
/** A time within the run. */
const now = 1_000_500_000_000n;

interface UpperFile {
  content?: string;
  mode?: number;
  mtimeNs?: bigint;
  ino?: number;
  nlink?: number;
}

let lastIno = 1000;
const contents = new WeakMap<UpperEntry, string>();

function entry(path: string, mode: number, overrides: Partial<UpperEntry> = {}): UpperEntry {
  const ino = BigInt(++lastIno);
  return { path, mode, sizeBytes: 0, mtimeNs: now, ino, nlink: 1, flags: 0, target: '', ...overrides };
}

const upper = {
  file(
    path: string,
    { content = '', mode = 0o644, mtimeNs = now, ino = ++lastIno, nlink = 1 }: UpperFile = {},
  ) {
    const sizeBytes = Buffer.byteLength(content);
    const made = entry(path, S_IFREG | mode, { sizeBytes, mtimeNs, ino: BigInt(ino), nlink });
    contents.set(made, content);
    return made;
  },
  dir: (path: string, { mode = 0o755, mtimeNs = now } = {}) => entry(path, S_IFDIR | mode, { mtimeNs }),
  opaque: (path: string) => entry(path, S_IFDIR | 0o755, { flags: UpperFlag.opaque }),
  redirect: (path: string, target: string, { mtimeNs = 1_000n } = {}) =>
    entry(path, S_IFDIR | 0o755, { flags: UpperFlag.redirect, target, mtimeNs }),
  whiteout: (path: string) => entry(path, S_IFCHR, { flags: UpperFlag.whiteout, nlink: 7 }),
  symlink: (path: string, target: string, { mtimeNs = now } = {}) =>
    entry(path, S_IFLNK | 0o777, { target, mtimeNs }),
  fifo: (path: string, mode = 0o644) => entry(path, S_IFIFO | mode),
};

async function run(base: Record<string, TreeNode>, entries: UpperEntry[]) {
  const options = {
    digestOf: (made: UpperEntry) => digestOf(Buffer.from(contents.get(made) ?? '')),
    startedNs,
    finishedNs,
  };
  const memory = new MemoryTree(Object.entries(base));
  const { root, blobs } = memory.encode();
  const snapshot = new SnapshotTree(root, async ({ hash }) => blobs.get(hash)!);
  const result = await harvest(entries, { ...options, base: memory });
  assert.equal(await harvest(entries, { ...options, base: snapshot }), result, 'the same over blobs');
  return result;
}

async function changes(base: Record<string, TreeNode>, entries: UpperEntry[]): Promise<Change[]> {
  const result = await run(base, entries);
  if (!result.ok) throw new Error(`failure ${result.failure.reason}`);
  return result.value.changes;
}

const created = (path: string, node: TreeNode) => ({ path, base: null, node });
const deleted = (path: string, base: TreeNode) => ({ path, base, node: null });
const changed = (path: string, base: TreeNode, node: TreeNode) => ({ path, base, node });

suite('harvest()', (test) => {
  test('gives no change for an empty layer', async () => {
    assert.equal(await changes({ a: file('a') }, []), []);
  });

  test('gives new files, symlinks, FIFOs and directories, empty ones too, sorted by path bytes', async () => {
    const made = [
      upper.dir('b'),
      upper.symlink('b/link', '../a'),
      upper.file('b.c', { content: 'x', mode: 0o600 }),
      upper.fifo('b/fifo', 0o620),
      upper.dir('a', { mode: 0o700 }),
    ];
    assert.equal(await changes({}, made), [
      created('a', directory({ mode: 0o700, mtimeNs: now })),
      created('b', directory({ mtimeNs: now })),
      created('b.c', file('x', { mode: 0o600, mtimeNs: now })),
      created('b/fifo', fifo(0o620)),
      created('b/link', symlink('../a')),
    ]);
  });

  test('gives an overwritten file with its base', async () => {
    const base = { a: file('old') };
    assert.equal(await changes(base, [upper.file('a', { content: 'new' })]), [
      changed('a', base.a, file('new', { mtimeNs: now })),
    ]);
  });

  test('gives a file whose mode, time or set-user-id bit alone changed', async () => {
    const base = { mode: file('x'), time: file('x'), setuid: file('x', { mode: 0o755 }) };
    const entries = [
      upper.file('mode', { content: 'x', mode: 0o755, mtimeNs: 1_000n }),
      upper.file('time', { content: 'x', mtimeNs: 5n }),
      upper.file('setuid', { content: 'x', mode: 0o4755, mtimeNs: 1_000n }),
    ];
    assert.equal(await changes(base, entries), [
      changed('mode', base.mode, file('x', { mode: 0o755 })),
      changed('setuid', base.setuid, file('x', { mode: 0o4755 })),
      changed('time', base.time, file('x', { mtimeNs: 5n })),
    ]);
  });

  test('gives the time of a symlink that was set, or kept from before, and not that of a new one', async () => {
    const base = { old: symlink('a', 7n), moved: symlink('b', 7n) };
    const entries = [
      upper.symlink('fresh', 'x'),
      upper.symlink('future', 'x', { mtimeNs: finishedNs * 2n }),
      upper.symlink('kept', 'b', { mtimeNs: 7n }),
      upper.whiteout('moved'),
      upper.symlink('old', 'a', { mtimeNs: -5n }),
    ];
    assert.equal(await changes(base, entries), [
      created('fresh', symlink('x')),
      created('future', symlink('x', finishedNs * 2n)),
      created('kept', symlink('b', 7n)),
      deleted('moved', base.moved),
      changed('old', base.old, symlink('a', -5n)),
    ]);
  });

  test('drops what was copied up but not changed, and its parents', async () => {
    const base = { d: directory(), 'd/a': file('x'), 'd/link': symlink('a'), 'd/fifo': fifo() };
    const entries = [
      upper.dir('d', { mtimeNs: 1_000n }),
      upper.file('d/a', { content: 'x', mtimeNs: 1_000n }),
      upper.symlink('d/link', 'a'),
      upper.fifo('d/fifo'),
    ];
    assert.equal(await changes(base, entries), []);
  });

  test('tells of what was written that it ended as it was', async () => {
    const result = await run({ a: file('x') }, [upper.file('a', { content: 'x', mtimeNs: 1_000n })]);
    assert.ok(result.ok);
    assert.equal(result.value, { changes: [], observed: [{ path: 'a', flags: 5 | (1 << 15) }] });
  });

  test('drops a parent whose time moved because an entry was made, replaced or deleted in it', async () => {
    const base = { d: directory(), 'd/old': file('x'), 'd/gone': file('x') };
    assert.equal(await changes(base, [upper.dir('d'), upper.file('d/new')]), [
      created('d/new', file('', { mtimeNs: now })),
    ]);
    assert.equal(await changes(base, [upper.dir('d'), upper.whiteout('d/gone')]), [
      deleted('d/gone', base['d/gone']),
    ]);
  });

  test('gives a directory that was touched, whether or not anything changed below', async () => {
    const base = { d: directory(), 'd/e': directory() };
    const deep = [upper.dir('d'), upper.dir('d/e'), upper.file('d/e/new')];
    assert.equal(await changes(base, deep), [
      changed('d', base.d, directory({ mtimeNs: now })),
      created('d/e/new', file('', { mtimeNs: now })),
    ]);
    assert.equal(await changes(base, [upper.dir('d')]), [changed('d', base.d, directory({ mtimeNs: now }))]);
  });

  test('gives a directory whose time was set to before or after the run, also when entries changed', async () => {
    const base = { past: directory(), future: directory() };
    const entries = [
      upper.dir('past', { mtimeNs: 7n }),
      upper.file('past/new'),
      upper.dir('future', { mtimeNs: finishedNs * 2n }),
      upper.file('future/new'),
    ];
    assert.equal(
      (await changes(base, entries)).map(({ path }) => path),
      ['future', 'future/new', 'past', 'past/new'],
    );
  });

  test('gives a directory without a time when that is as it was although entries changed', async () => {
    const base = { d: directory(), 'd/a': file('a') };
    const entries = [upper.dir('d', { mtimeNs: 1_000n }), upper.file('d/a', { content: 'b' })];
    assert.equal(await changes(base, entries), [
      changed('d', base.d, { type: 'directory', mode: 0o755 }),
      changed('d/a', base['d/a'], file('b', { mtimeNs: now })),
    ]);
  });

  test('takes a time within one tick of the clock before the run for one within', async () => {
    const base = { d: directory() };
    const entries = [upper.dir('d', { mtimeNs: startedNs - 4_000_000n }), upper.file('d/new')];
    assert.equal(
      (await changes(base, entries)).map(({ path }) => path),
      ['d/new'],
    );
  });

  test('gives a directory whose mode changed', async () => {
    const base = { d: directory() };
    assert.equal(await changes(base, [upper.dir('d', { mode: 0o1777, mtimeNs: 1_000n })]), [
      changed('d', base.d, directory({ mode: 0o1777 })),
    ]);
  });

  test('gives deletions, of a directory without what was in it', async () => {
    const base = { d: directory(), 'd/a': file('a'), f: file('f'), l: symlink('f'), p: fifo() };
    const entries = ['d', 'f', 'l', 'p'].map(upper.whiteout);
    assert.equal(await changes(base, entries), [
      deleted('d', base.d),
      deleted('f', base.f),
      deleted('l', base.l),
      deleted('p', base.p),
    ]);
  });

  test('drops a whiteout over nothing', async () => {
    assert.equal(await changes({}, [upper.whiteout('was-temporary')]), []);
  });

  test('gives replaced kinds as one change each', async () => {
    const base = {
      a: file('a'),
      b: directory(),
      'b/inner': file('i'),
      c: symlink('a'),
      d: directory(),
      'd/inner': file('i'),
    };
    const entries = [
      upper.opaque('a'),
      upper.file('a/new'),
      upper.file('b', { content: 'b' }),
      upper.fifo('c'),
      upper.symlink('d', 'a'),
    ];
    assert.equal(await changes(base, entries), [
      changed('a', base.a, directory({ mtimeNs: now })),
      created('a/new', file('', { mtimeNs: now })),
      changed('b', base.b, file('b', { mtimeNs: now })),
      changed('c', base.c, fifo()),
      changed('d', base.d, symlink('a')),
    ]);
  });

  test('gives for an opaque directory what is not there any more, at every depth', async () => {
    const base = {
      d: directory(),
      'd/gone': file('g'),
      'd/kept': file('k'),
      'd/sub': directory(),
      'd/sub/gone': file('g'),
      'd/lost': directory(),
      'd/lost/inner': file('i'),
    };
    const entries = [
      upper.opaque('d'),
      upper.file('d/kept', { content: 'k', mtimeNs: 1_000n }),
      upper.file('d/new', { content: 'n' }),
      upper.dir('d/sub'),
    ];
    assert.equal(await changes(base, entries), [
      deleted('d/gone', base['d/gone']),
      deleted('d/lost', base['d/lost']),
      created('d/new', file('n', { mtimeNs: now })),
      deleted('d/sub/gone', base['d/sub/gone']),
    ]);
  });

  const tree = {
    a: directory(),
    'a/f': file('f'),
    'a/sub': directory({ mode: 0o700 }),
    'a/sub/g': file('g', { mode: 0o755 }),
    'a/sub/l': symlink('g'),
    'a/sub/p': fifo(),
  };
  const moved = (to: string) => [
    created(to, directory()),
    created(`${to}/f`, tree['a/f']),
    created(`${to}/sub`, tree['a/sub']),
    created(`${to}/sub/g`, tree['a/sub/g']),
    created(`${to}/sub/l`, tree['a/sub/l']),
    created(`${to}/sub/p`, tree['a/sub/p']),
  ];

  test('gives all of a renamed directory at its new place, and one deletion at the old one', async () => {
    const entries = [upper.whiteout('a'), upper.redirect('b', 'a')];
    assert.equal(await changes(tree, entries), [deleted('a', tree.a), ...moved('b')]);
  });

  test('follows a directory that was renamed into another one', async () => {
    const base = { ...tree, x: directory(), 'x/y': directory() };
    const entries = [
      upper.whiteout('a'),
      upper.dir('x', { mtimeNs: 1_000n }),
      upper.dir('x/y'),
      upper.redirect('x/y/b', '/a'),
    ];
    assert.equal(await changes(base, entries), [deleted('a', tree.a), ...moved('x/y/b')]);
  });

  test('follows a directory that was renamed into a new or opaque one', async () => {
    const entries = [upper.whiteout('a'), upper.opaque('n'), upper.redirect('n/b', '/a')];
    assert.equal(await changes(tree, entries), [
      deleted('a', tree.a),
      created('n', directory({ mtimeNs: now })),
      ...moved('n/b'),
    ]);
  });

  test('follows renames inside a renamed directory', async () => {
    const entries = [
      upper.whiteout('a'),
      upper.redirect('b', 'a', { mtimeNs: now }),
      upper.whiteout('b/sub'),
      upper.redirect('b/tub', 'sub'),
      upper.file('b/tub/g', { content: 'other' }),
      upper.whiteout('b/f'),
    ];
    assert.equal(await changes(tree, entries), [
      deleted('a', tree.a),
      created('b', directory({ mtimeNs: now })),
      created('b/tub', directory()),
      created('b/tub/g', file('other', { mtimeNs: now })),
      created('b/tub/l', tree['a/sub/l']),
      created('b/tub/p', tree['a/sub/p']),
    ]);
  });

  test('compares two directories that changed places with what was there', async () => {
    const base = {
      a: directory(),
      'a/same': file('s'),
      'a/only-a': file('1'),
      'a/sub': directory(),
      'a/sub/x': file('x'),
      b: directory(),
      'b/same': file('s'),
      'b/only-b': file('2'),
      'b/sub': directory(),
      'b/sub/y': file('y'),
    };
    const entries = [upper.redirect('a', 'b'), upper.redirect('b', 'a')];
    assert.equal(await changes(base, entries), [
      changed('a', base.a, base.b),
      deleted('a/only-a', base['a/only-a']),
      created('a/only-b', base['b/only-b']),
      changed('a/sub', base['a/sub'], base['b/sub']),
      deleted('a/sub/x', base['a/sub/x']),
      created('a/sub/y', base['b/sub/y']),
      changed('b', base.b, base.a),
      created('b/only-a', base['a/only-a']),
      deleted('b/only-b', base['b/only-b']),
      changed('b/sub', base['b/sub'], base['a/sub']),
      created('b/sub/x', base['a/sub/x']),
      deleted('b/sub/y', base['b/sub/y']),
    ]);
  });

  test('sees that a directory was renamed and back', async () => {
    assert.equal(await changes(tree, [upper.redirect('a', 'a')]), []);
  });

  test('observes what it takes out of a renamed directory, for the command has not', async () => {
    const result = await run(tree, [upper.whiteout('a'), upper.redirect('b', 'a'), upper.file('b/f')]);
    assert.ok(result.ok);
    assert.equal(result.value.observed, [
      { path: 'a', flags: 16 },
      { path: 'a/sub', flags: 17 },
      { path: 'a/sub/g', flags: 5 },
      { path: 'a/sub/l', flags: 9 },
      { path: 'a/sub/p', flags: 1 },
    ]);
  });

  test('groups the names of one file, with a name of before that did not change', async () => {
    const base = { old: file('x') };
    const same = { content: 'x', mtimeNs: 1_000n, ino: 5, nlink: 2 };
    const pair = { content: 'y', ino: 6, nlink: 2 };
    const entries = [
      upper.file('new', same),
      upper.file('old', same),
      upper.file('p', pair),
      upper.file('q', pair),
      upper.file('single', { ino: 7, nlink: 2 }),
    ];
    assert.equal(await changes(base, entries), [
      { ...created('new', file('x')), linkGroup: 1 },
      { ...changed('old', base.old, file('x')), linkGroup: 1 },
      { ...created('p', file('y', { mtimeNs: now })), linkGroup: 2 },
      { ...created('q', file('y', { mtimeNs: now })), linkGroup: 2 },
      created('single', file('', { mtimeNs: now })),
    ]);
  });

  test('keeps names that are not UTF-8 and sorts them by their bytes', async () => {
    const names = ['é', '\udcff', 'z', '\u{1f600}'];
    const paths = (
      await changes(
        {},
        names.map((name) => upper.file(name)),
      )
    ).map(({ path }) => path);
    assert.equal(paths, ['z', 'é', '\u{1f600}', '\udcff']);
  });

  test('takes in the root when the layer lists it', async () => {
    const base = { '': directory() };
    assert.equal(await changes(base, [upper.dir('', { mtimeNs: 1_000n })]), []);
    assert.equal(await changes(base, [upper.dir(''), upper.file('a')]), [
      created('a', file('', { mtimeNs: now })),
    ]);
    assert.equal(await changes(base, [upper.dir('')]), [changed('', base[''], directory({ mtimeNs: now }))]);
    assert.equal(await changes(base, [upper.dir('', { mode: 0o700, mtimeNs: 1_000n })]), [
      changed('', base[''], directory({ mode: 0o700 })),
    ]);
  });

  test('fails for sockets and devices, naming the first', async () => {
    for (const type of [S_IFSOCK, S_IFCHR, constants.S_IFBLK]) {
      const limit = { kind: 'unsupported-output', path: 'd/odd' };
      const result = await run({}, [upper.dir('d'), entry('d/odd', type | 0o644)]);
      assert.equal(result, { ok: false, failure: { reason: 'limit', limit } });
    }
  });
});
