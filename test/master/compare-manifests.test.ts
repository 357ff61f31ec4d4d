import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { compareManifests, type Deviation } from '../../master/compare-manifests.ts';
import { describeDeviation } from '../../master/describe-deviation.ts';
import type { Change, Manifest, TreeNode } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';

const digest = (text: string) => digestOf(Buffer.from(text));
const file = (text: string, mode = 0o644, mtimeNs = 1n): TreeNode => ({
  ...{ type: 'file', digest: digest(text), mode, mtimeNs },
});
const directory = (mode = 0o755): TreeNode => ({ type: 'directory', mode, mtimeNs: 1n });

type Left = Record<string, TreeNode | null>;

/** What a command leaves that left these, over a project that held `base`. */
function manifest(
  left: Left,
  { base = {}, links = [], ...rest }: { base?: Left; links?: string[] } & Partial<Manifest> = {},
): Manifest {
  return {
    status: { kind: 'exit', code: 0 },
    ...{ stdout: digest(''), stderr: digest(''), reached: [], hiddenTrace: [], trace: [] },
    ...{ startedNs: 1n, finishedNs: 2n, resources: { userUs: 0, systemUs: 0, maxRssKib: 0 } },
    changes: Object.entries(left).map(([path, node]): Change => {
      const linkGroup = links.includes(path) ? { linkGroup: 1 } : {};
      return { path, base: base[path] ?? null, node, ...linkGroup };
    }),
    ...rest,
  };
}

const compare = (was: Manifest, is: Manifest, base: Left = {}) =>
  compareManifests(was, is, (path) => base[path] ?? null);
const subjects = (deviations: Deviation[]) =>
  deviations.map((deviation) => ('path' in deviation ? deviation.path : deviation.kind));
const sentences = (was: Manifest, is: Manifest, base: Left = {}) =>
  compare(was, is, base).map((deviation) => describeDeviation(deviation, undefined));

suite('compareManifests()', (test) => {
  test('finds nothing when only times differ', () => {
    const link: TreeNode = { type: 'symlink', target: 'a' };
    const was = manifest({ a: file('x'), d: directory(), l: link, gone: null });
    const is = manifest({ a: file('x', 0o644, 99n), d: directory(), l: link, gone: null });
    assert.equal(compare(was, { ...is, startedNs: 5n, finishedNs: 9n }), []);
  });

  const pairs: [what: string, was: TreeNode | null, is: TreeNode | null, sentence: string][] = [
    ['content', file('a'), file('b'), '"p" has other content'],
    ['a mode', file('a'), file('a', 0o755), '"p" has mode 0755 instead of 0644'],
    ['both', file('a'), file('b', 0o600), '"p" has other content and has mode 0600 instead of 0644'],
    ['a deletion', null, file('a'), '"p" is a file with mode 0644 instead of absent'],
    ['a missing output', file('a'), null, '"p" is absent instead of a file with mode 0644'],
    ['a type', directory(), file('a'), '"p" is a file with mode 0644 instead of a directory with mode 0755'],
    [
      ...['the target of a link', { type: 'symlink', target: 'a' }, { type: 'symlink', target: 'b' }],
      '"p" is a link to "b" instead of a link to "a"',
    ] as (typeof pairs)[number],
    [
      ...['the mode of a folder', directory(), directory(0o700)],
      '"p" is a directory with mode 0700 instead of a directory with mode 0755',
    ] as (typeof pairs)[number],
    [
      ...['a FIFO', { type: 'fifo', mode: 0o644 }, { type: 'fifo', mode: 0o600 }],
      '"p" is a fifo with mode 0600 instead of a fifo with mode 0644',
    ] as (typeof pairs)[number],
  ];
  for (const [what, was, is, sentence] of pairs) {
    test(`finds ${what}`, () => {
      const base = { p: file('before') };
      assert.equal(sentences(manifest({ p: was }), manifest({ p: is }), base), [sentence]);
    });
  }

  test('finds output and the end, after all files', () => {
    const was = manifest({ b: file('1'), a: file('1') });
    const is = manifest(
      { a: file('2'), b: file('2') },
      { stdout: digest('out'), stderr: digest('err'), status: { kind: 'signal', signal: 9 } },
    );
    assert.equal(subjects(compare(was, is)), ['a', 'b', 'stdout', 'stderr', 'status']);
    assert.is(sentences(was, is).at(-1), 'it ended with signal 9 instead of status 0');
  });

  test('takes what one of them does not list for what stood there', () => {
    const base = { kept: file('same'), other: file('before') };
    const was = manifest({ kept: file('same'), other: file('before') }, { base });
    assert.equal(compare(was, manifest({}), base), []);
    assert.equal(subjects(compare(manifest({ other: file('new') }), manifest({}), base)), ['other']);
  });

  test('knows that nothing is left below a deleted folder, or one that became a file', () => {
    const base = { d: directory(), 'd/x': file('x'), e: directory(), 'e/x': file('x') };
    const was = manifest({ d: null, e: file('e') });
    const is = manifest({ d: null, 'd/x': null, e: file('e'), 'e/x': null });
    assert.equal(compare(was, is, base), []);
  });

  test('finds names that are no longer of one file', () => {
    const left = { a: file('x'), b: file('x'), c: file('x') };
    const one = manifest(left, { links: ['a', 'b'] });
    assert.equal(compare(one, manifest(left, { links: ['a', 'b'] })), []);
    assert.equal(subjects(compare(one, manifest(left, { links: ['a', 'c'] }))), ['b', 'c']);
    assert.equal(sentences(one, manifest(left)), ['"b" is a hard link to another file']);
  });
});
