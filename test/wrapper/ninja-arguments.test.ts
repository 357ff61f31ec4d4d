import { chmodSync, mkdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { findProgram } from '../../wrapper/find-program.ts';
import { parseNinjaArguments } from '../../wrapper/ninja-arguments.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('parseNinjaArguments()', (test) => {
  const lines: [line: string, found: Partial<ReturnType<typeof parseNinjaArguments>>][] = [
    ['', {}],
    ['all', {}],
    ['-j4', { hasJobs: true }],
    ['-j 4 all', { hasJobs: true }],
    ['-vj4', { hasJobs: true }],
    ['-k 0 -l 3 -w dupbuild=err -d stats', {}],
    ['-k -j', {}],
    ['-f j4.ninja', {}],
    ['-C out', { dir: 'out' }],
    ['-Cout -C other', { dir: 'other' }],
    ['-nC out -j2', { dir: 'out', hasJobs: true }],
    ['-- -j4', {}],
    ['-j4 -- -C out', { hasJobs: true }],
    ['--verbose --quiet', {}],
    ['--version', { isBuild: false }],
    ['-h', { isBuild: false }],
    ['-C out -t clean -j3', { dir: 'out', isBuild: false }],
    ['-tclean', { isBuild: false }],
  ];
  for (const [line, found] of lines) {
    test(`reads "${line}"`, () => {
      const args = line === '' ? [] : line.split(' ');
      assert.equal(parseNinjaArguments(args), { dir: '.', hasJobs: false, isBuild: true, ...found });
    });
  }
});

suite('findProgram()', (test) => {
  test('takes the first name that there is a program of', async () => {
    await using dir = await tempDir();
    for (const name of ['a', 'b']) mkdirSync(dir.join(name));
    mkdirSync(dir.join('a/first'));
    dir.write('a/second', '');
    dir.write('b/third', '');
    chmodSync(dir.join('b/third'), 0o755);
    const path = `:${dir.join('a')}:${dir.join('missing')}:${dir.join('b')}`;
    assert.is(findProgram(['first', 'second', 'third'], path), 'third');
    assert.is(findProgram(['first', 'second'], path), undefined);
    assert.is(findProgram(['third'], undefined), undefined);
  });
});
