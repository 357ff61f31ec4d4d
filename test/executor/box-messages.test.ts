import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type BoxRequest, decodeBoxMessage, encodeBoxRequest } from '../../executor/box-messages.ts';
import { FrameSplitter, FrameWriter } from '../../protocol/frame.ts';
import { exampleContext } from '../fixtures/example-context.ts';
import { golden, goldenPath } from '../fixtures/golden.ts';
import { suite } from '../harness/suite.ts';

const example = (file: string) => readFileSync(goldenPath(file));
const decode = (bytes: Buffer) => decodeBoxMessage(new FrameSplitter().push(bytes)[0]!);
const hash = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
const emptyHash = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

suite('encodeBoxRequest()', (test) => {
  test('writes the examples that the box reads', () => {
    const requests: Record<string, BoxRequest> = {
      'mount.bin': {
        type: 'mount',
        mountDir: '/var/lib/termite/system/1',
        hidden: ['/proc', '/sys', '/dev', '/tmp'],
      },
      'job.bin': {
        type: 'job',
        job: {
          jobDir: '/var/lib/termite/jobs/17',
          systemDir: '/var/lib/termite/system/1',
          projectRoot: '/home/me/proj',
          root: { hash, sizeBytes: 142 },
          argv: ['/bin/sh', '-c', 'make -C sub'],
          env: ['PATH=/bin', 'HOME=/home/me'],
          cwd: '/home/me/proj/sub',
          umask: 0o27,
          uid: 1000,
          gid: 1000,
          hostUid: 60_001,
          hostGid: 60_001,
          mergeOutput: true,
          network: false,
          ownNetwork: false,
          forwardStdin: true,
          timeoutMs: 600_000,
          memoryBytes: 256 * 1024 * 1024,
          home: '/home/me',
          shown: [
            { path: '/tmp/user', mode: 0o711 },
            { path: '/tmp/user/0', mode: 0o700 },
          ],
          context: exampleContext,
          directories: [
            { digest: { hash, sizeBytes: 142 }, bytes: Buffer.from('0a030a0161', 'hex') },
            { digest: { hash: emptyHash, sizeBytes: 0 }, bytes: new Uint8Array() },
          ],
        },
      },
      'trace-wanted.bin': { type: 'trace-wanted', id: 9 },
      'original.bin': {
        ...{ type: 'original', id: 4 },
        // The last nanosecond before 1970.
        signature: { sizeBytes: 14_624, mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: -1n, inode: 131_074n },
      },
      'job-stdin.bin': { type: 'stdin', id: 6, data: Buffer.from('y\n') },
    };
    for (const [file, request] of Object.entries(requests)) {
      assert.is(encodeBoxRequest(request).finish().toString('hex'), example(file).toString('hex'), file);
    }
  });

  test('writes answers as the examples have them', () => {
    const requests: Record<string, (fields: { value: number; hash: string }[]) => BoxRequest> = {
      'blob.bin': ([id, errno]) => ({ type: 'blob', id: id!.value, errno: errno!.value }),
      'file.bin': ([id, errno, digest]) => ({
        type: 'file',
        ...{ id: id!.value, errno: errno!.value },
        digest: { hash: digest!.hash, sizeBytes: Number((digest as { sizeBytes?: unknown }).sizeBytes) },
      }),
    };
    const descriptions = golden<{ file: string; fields: { value: number; hash: string }[] }[]>('frames.json');
    for (const [file, make] of Object.entries(requests)) {
      const { fields } = descriptions.find((each) => each.file === file)!;
      assert.is(encodeBoxRequest(make(fields)).finish().toString('hex'), example(file).toString('hex'), file);
    }
  });
});

suite('decodeBoxMessage()', (test) => {
  test('reads the example of a job that is done', () => {
    const entry = { sizeBytes: 0, nlink: 1, flags: 0, target: '' };
    const at = 1_700_000_000_000_000_000n;
    assert.equal(decode(example('done.bin')), {
      ...{
        type: 'done',
        kind: 'exit',
        value: 1,
        startedNs: at + 123_456_789n,
        finishedNs: at + 1_123_456_789n,
      },
      ...{ userUs: 52_000, systemUs: 8_000, maxRssKib: 31_248, filesDir: '/proc/4711/fd/9' },
      upper: [
        { ...entry, path: 'out', mode: 0o40755, mtimeNs: at + 500_000_000n, ino: 11n, flags: 2 },
        {
          ...entry,
          path: 'out/a.o',
          mode: 0o100644,
          sizeBytes: 4840,
          mtimeNs: at + 600_000_000n,
          ino: 12n,
          nlink: 2,
        },
        {
          ...{
            ...entry,
            path: 'out/link',
            mode: 0o120777,
            sizeBytes: 3,
            mtimeNs: at + 600_000_001n,
            ino: 13n,
          },
          target: 'a.o',
        },
        {
          ...entry,
          path: 'out/moved',
          mode: 0o40755,
          mtimeNs: at + 700_000_000n,
          ino: 14n,
          flags: 4,
          target: '/old',
        },
        { ...entry, path: 'gone', mode: 0o20000, mtimeNs: 0n, ino: 15n, flags: 1 },
      ],
      trace: [
        { path: '', flags: 1 },
        { path: 'a.c', flags: 5 },
        { path: 'a.h', flags: 2 },
      ],
      outside: ['/tmp/left'],
      hiddenTrace: [
        { path: '/tmp/x', flags: 2 },
        { path: '/run', flags: 16 },
      ],
      process: 4711,
      noticed: [{ kind: 'privilege', call: 'chown' }, { kind: 'network' }],
    });
  });

  test('reads every example that the box may send', () => {
    for (const file of [
      'mounted',
      'list',
      'read',
      'trace',
      'refused',
      'broken',
      'outgrown',
      'needs-network',
    ]) {
      assert.is(decode(example(`${file}.bin`)).type, file);
    }
    for (const file of ['need-directory', 'need-blob', 'need-stdin']) {
      assert.is(decode(example(`${file}.bin`)).type, file);
    }
  });

  test('throws RangeError for unknown frames and kinds', () => {
    assert.throws(() => decode(new FrameWriter(0x999).finish()), /Unknown frame 0x999/);
    assert.throws(() => decode(new FrameWriter(0x513).u32(7).finish()), /Unknown kind/);
  });
});
