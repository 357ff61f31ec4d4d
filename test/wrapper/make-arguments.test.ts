import * as assert from 'uvu/assert';
import {
  hasJobsInEnvironment,
  type MakeArguments,
  parseMakeArguments,
  unknownFlags,
} from '../../wrapper/make-arguments.ts';
import { suite } from '../harness/suite.ts';

const cases: [args: string, expected: Partial<MakeArguments>][] = [
  ['', {}],
  ['all CC=gcc', {}],
  ['-j4', { hasJobs: true }],
  ['-j 4', { hasJobs: true }],
  ['-j', { hasJobs: true }],
  ['-kj4', { hasJobs: true }],
  ['-kj 4 all', { hasJobs: true }],
  ['-skj', { hasJobs: true, isSilent: true }],
  ['-s', { isSilent: true }],
  ['--silent', { isSilent: true }],
  ['--quiet', { isSilent: true }],
  ['-f s -k', { files: ['s'] }],
  ['-jk', { hasJobs: true }],
  ['-j4k', { hasJobs: true }],
  ['--jobs', { hasJobs: true }],
  ['--jobs=4', { hasJobs: true }],
  ['--jobs 4', { hasJobs: true }],
  ['-k -s', { isSilent: true }],
  ['-l4', {}],
  ['-lj4', { hasJobs: true }],
  ['-l 4 -j2', { hasJobs: true }],
  ['-Oj', {}],
  ['-C j4', { dirs: ['j4'] }],
  ['-Cj4', { dirs: ['j4'] }],
  ['-kC a -C b', { dirs: ['a', 'b'] }],
  ['--directory=a --directory b', { dirs: ['a', 'b'] }],
  ['--dir a', { dirs: ['a'] }],
  ['-f -j4', { files: ['-j4'] }],
  ['-f a -fb --file=c --makefile d', { files: ['a', 'b', 'c', 'd'] }],
  ['-I -j4 -W -j -o -j -E -j', {}],
  ['--eval -j4', {}],
  ['--debug -j', { hasJobs: true }],
  ['--jobserver-auth=3,4', {}],
  ['-- -j4', {}],
  ['all -j2', { hasJobs: true }],
  ['SHELL=/bin/bash', { shell: '/bin/bash' }],
  ['all SHELL:=/bin/zsh', { shell: '/bin/zsh' }],
  ['-- SHELL=/bin/a SHELL=/bin/b', { shell: '/bin/b' }],
  ['-f SHELL=x', { files: ['SHELL=x'] }],
  ['MYSHELL=/bin/x SHELLS=y', {}],
];

suite('parseMakeArguments()', (test) => {
  for (const [args, expected] of cases) {
    test(`reads "${args}"`, () => {
      const words = args.split(' ').filter((word) => word !== '');
      assert.equal(parseMakeArguments(words), {
        dirs: [],
        files: [],
        isSilent: false,
        hasJobs: false,
        ...expected,
      });
    });
  }
});

suite('hasJobsInEnvironment()', (test) => {
  const flags: [value: string, expected: boolean][] = [
    ['', false],
    ['k', false],
    ['kj4', true],
    ['-j4', true],
    [' -j4 --jobserver-auth=3,4 -- X=1', true],
    ['k -j1', true],
    [' --jobserver-auth=fifo:/tmp/x', true],
    [' -- X=-j4', false],
    ['j', true],
  ];
  for (const [MAKEFLAGS, expected] of flags) {
    test(`reads MAKEFLAGS="${MAKEFLAGS}"`, () => assert.is(hasJobsInEnvironment({ MAKEFLAGS }), expected));
  }
  test('is false without MAKEFLAGS', () => assert.is(hasJobsInEnvironment({}), false));
});

suite('unknownFlags()', (test) => {
  test('are those that make does not know, not even abbreviated', () => {
    const args = ['--keep', '--verify=5', '-k', '--root', 'x', '--always-make', '--qui', '--', '--quite'];
    assert.equal(unknownFlags(args), ['verify', 'root']);
  });
});
