import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { showsTime } from '../../master/shown-times.ts';
import type { Change } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';

const seconds = 1_700_003_647; // 2023-11-14 23:14:07 UTC
const timesNs = new Set([BigInt(seconds) * 1_000_000_000n + 5n]);
const empty = digestOf(Buffer.alloc(0));

async function shows(
  content: string | Buffer,
  { isCompiled = false, asFile = false } = {},
): Promise<boolean> {
  const bytes = Buffer.from(content as string);
  const digest = digestOf(bytes);
  const change: Change = { path: 'x', base: null, node: { type: 'file', digest, mode: 0o644, mtimeNs: 0n } };
  return showsTime(
    { stdout: asFile ? empty : digest, stderr: empty, changes: asFile ? [change] : [] },
    { timesNs, read: async (_, maxBytes) => bytes.subarray(0, maxBytes), isCompiled },
  );
}

function word(value: number, order: 'LE' | 'BE'): Buffer {
  const bytes = Buffer.alloc(11, 0xaa);
  if (order === 'LE') bytes.writeUInt32LE(value, 3);
  else bytes.writeUInt32BE(value, 3);
  return bytes;
}

suite('showsTime()', (test) => {
  const yes: [what: string, content: string | Buffer][] = [
    ['seconds', `a ${seconds}\n`],
    ['seconds with a fraction', `${seconds}.0000000050 x`],
    ['octal, as in tar', `\0${seconds.toString(8).padStart(11, '0')}\0`],
    ['hexadecimal, as in cpio', `070701${'0'.repeat(40)}${seconds.toString(16).toUpperCase()}00000000`],
    ['four bytes, as in .pyc and gzip', word(seconds, 'LE')],
    ['four bytes of the other order, as in an index of git', word(seconds, 'BE')],
    ['a date, as of stat and diff', '--- a.txt\t2023-11-14 23:14:07.000000005 +0000'],
    ['a date in another time zone', '2023-11-15 04:44:07 +0530'],
    ['a date as of ls', '-rw-r--r-- 1 u g 5 Nov 14 23:14 a.txt'],
    ['a date as of ls, of an older file', '-rw-r--r-- 1 u g 5 Nov 14  2023 a.txt'],
    ['a date as of date and __TIMESTAMP__', 'Tue Nov 14 23:14:07 2023'],
    ['what clang has precompiled', 'CPCH...'],
    ['a zip archive', 'PK\x03\x04...'],
  ];
  for (const [what, content] of yes) {
    test(`finds ${what}, printed and in files`, async () => {
      assert.equal([await shows(content), await shows(content, { asFile: true })], [true, true]);
    });
  }

  test('finds nothing in what looks alike', async () => {
    for (const content of [
      `${seconds + 1}`,
      `1${seconds}9`,
      (seconds + 1).toString(8).padStart(11, '0'),
      word(seconds + 1, 'LE'),
      '2023-11-14 23:14:08',
      '2023-11-20 23:14:07',
      'Nov 14 23:15',
      'Nov 20  2023',
      'Copyright (C) 2023',
    ]) {
      assert.not(await shows(content), `${content}`);
    }
  });

  test('looks only for dates in what compilers make, and for times in an archive that has any', async () => {
    const compiled = (content: string | Buffer) => shows(content, { isCompiled: true, asFile: true });
    assert.equal([await compiled(word(seconds, 'LE')), await compiled(`${seconds}`)], [false, false]);
    assert.ok(await compiled('Tue Nov 14 23:14:07 2023'));
    const member = (date: string) =>
      `!<arch>\n${'a.o/'.padEnd(16)}${date.padEnd(12)}0     0     644     0         \`\n`;
    assert.equal([await compiled(member(`${seconds}`)), await compiled(member('0'))], [true, false]);
  });
});
