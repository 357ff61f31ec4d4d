import * as assert from 'uvu/assert';
import { jobSchema, manifestSchema } from '../../protocol/job.ts';
import { plainContext } from '../../protocol/process-context.ts';
import { encodeJson } from '../../runtime/json.ts';
import { suite } from '../harness/suite.ts';

const digest = { hash: 'a'.repeat(64), sizeBytes: 1 };
const file = { type: 'file', digest, mode: 0o644, mtimeNs: '1' };
const change = (path: string, node: unknown = file) => ({ path, base: null, node });
const named = (path: string, node: unknown) => ({ ...change(path, node), linkGroup: 1 });
const directory = { type: 'directory', mode: 0o755, mtimeNs: '1' };
const manifest = {
  status: { kind: 'exit', code: 0 },
  ...{
    stdout: digest,
    stderr: digest,
    changes: [change('a', directory), change('a-b'), change('a/b'), change('b')],
  },
  ...{ reached: [], hiddenTrace: [], trace: [{ path: 'x', flags: 1 }], startedNs: '1', finishedNs: '2' },
  resources: { userUs: 1, systemUs: 1, maxRssKib: 1 },
};
const origin = { id: 'm', epoch: 1, revision: 1, url: 'https://127.0.0.1:1' };
const job = {
  ...{ id: 'm-1', origin },
  ...{ projectRoot: '/p', root: digest, argv: ['cc'], env: ['A=b'], cwd: '/p', umask: 0o22, uid: 0, gid: 0 },
  ...{ shown: [], context: JSON.parse(encodeJson(plainContext)) },
  ...{ home: '', mergeOutput: false, forwardStdin: false, network: false, timeoutMs: 0, slots: 1 },
};

const badManifests: [what: string, part: object][] = [
  ['a negative mode', { changes: [change('a', { ...file, mode: -1 })] }],
  ['a mode of 2^40', { changes: [change('a', { ...file, mode: 2 ** 40 })] }],
  ['type bits in a mode', { changes: [change('a', { ...file, mode: 0o100644 })] }],
  ['NUL in a name', { changes: [change('a\0b')] }],
  ['a name of 256 bytes', { changes: [change('é'.repeat(128))] }],
  ['a path of 4096 bytes', { changes: [change(`${'abc/'.repeat(1023)}abcd`)] }],
  ['a way out', { changes: [change('a/../../b')] }],
  ['an absolute path', { changes: [change('/a')] }],
  ['an empty link target', { changes: [change('a', { type: 'symlink', target: '' })] }],
  ['a link target with NUL', { changes: [change('a', { type: 'symlink', target: 'x\0' })] }],
  ['an exit status of -1', { status: { kind: 'exit', code: -1 } }],
  ['an exit status of 256', { status: { kind: 'exit', code: 256 } }],
  ['signal 0', { status: { kind: 'signal', signal: 0 } }],
  ['changes out of order', { changes: [change('b'), change('a')] }],
  ['a child before its parent', { changes: [change('a/b'), change('a', directory)] }],
  ['a path twice', { changes: [change('a'), change('a', null)] }],
  [
    'a change below a symlink',
    { changes: [change('a', { type: 'symlink', target: '/etc' }), change('a/b')] },
  ],
  ['a change below a file', { changes: [change('a'), change('a/b/c')] }],
  ['a deletion below a deletion', { changes: [change('a', null), change('a-b'), change('a/b', null)] }],
  ['the project deleted', { changes: [change('', null)] }],
  ['the project as a file', { changes: [change('')] }],
  [
    'names of one file with two contents',
    { changes: [named('a', file), named('b', { ...file, digest: { ...digest, hash: 'b'.repeat(64) } })] },
  ],
  ['a further name that is no file', { changes: [named('a', file), named('b', null)] }],
  ['a time that no file has', { changes: [change('a', { ...file, mtimeNs: `${10n ** 26n - 1n}` })] }],
  ['NUL in the trace', { trace: [{ path: 'x\0', flags: 1 }] }],
  ['a way out in the trace', { trace: [{ path: '../x', flags: 1 }] }],
  ['a trace without end', { hiddenTrace: [{ path: `/${'x'.repeat(2 ** 16)}`, flags: 1 }] }],
  ['a size of 2^53', { changes: [change('a', { ...file, digest: { ...digest, sizeBytes: 2 ** 53 } })] }],
  ['unknown flags in the trace', { trace: [{ path: 'x', flags: 2 ** 16 }] }],
];
const badJobs: [what: string, part: object][] = [
  ['umask -1', { umask: -1 }],
  ['umask 01000', { umask: 0o1000 }],
  ['uid 2^32 - 1', { uid: 2 ** 32 - 1 }],
  ['a relative folder', { cwd: 'p' }],
  ['a root with ".."', { projectRoot: '/p/..' }],
  ['NUL in an argument', { argv: ['a\0'] }],
  ['an argument that no kernel takes', { argv: ['x'.repeat(128 * 1024)] }],
  ['no argument', { argv: [] }],
  ['NUL in the environment', { env: ['A=\0'] }],
  ['a negative timeout', { timeoutMs: -1 }],
  ['no slot', { slots: 0 }],
  ['an origin that is no URL', { origin: { ...origin, url: 'file:///etc' } }],
  ['a negative epoch', { origin: { ...origin, epoch: -1 } }],
  ['an id without end', { id: 'x'.repeat(101) }],
  ['a home of unclean spelling', { home: '/root/' }],
];

suite('What comes over the wire', (test) => {
  test('is taken when it is good, byte for byte', () => {
    const parsed = manifestSchema.parse(manifest);
    assert.equal(manifestSchema.parse(JSON.parse(encodeJson(parsed))), parsed);
    assert.equal(jobSchema.parse(job).argv, ['cc']);
    const name = '\udcff'.repeat(255);
    assert.is(manifestSchema.parse({ ...manifest, changes: [change(name)] }).changes[0]!.path, name);
  });

  for (const [what, part] of badManifests) {
    test(`is refused as a manifest with ${what}`, () => {
      assert.not(manifestSchema.safeParse({ ...manifest, ...part }).success);
    });
  }
  for (const [what, part] of badJobs) {
    test(`is refused as a job with ${what}`, () => {
      assert.not(jobSchema.safeParse({ ...job, ...part }).success);
    });
  }
});
