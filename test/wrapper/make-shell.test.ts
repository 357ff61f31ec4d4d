import { execFileSync } from 'node:child_process';
import { relative } from 'node:path';
import * as assert from 'uvu/assert';
import { findMakefileShell } from '../../wrapper/make-shell.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

interface Expected {
  path: string;
  /** `FILE:LINE`, or `FILE` alone. */
  exception?: string;
}

async function find(
  files: Readonly<Record<string, string>>,
  given: readonly string[] = [],
): Promise<Expected> {
  await using dir = await tempDir();
  for (const [name, text] of Object.entries(files)) dir.write(name, text);
  const { path, exception } = findMakefileShell(dir.path, given, '/usr/bin:/bin');
  if (!exception) return { path };
  const { line } = exception;
  const file = relative(dir.path, exception.file);
  return { path, exception: line === undefined ? file : `${file}:${line}` };
}

const sh = '/bin/sh';
const bash = '/bin/bash';
const useBash = `SHELL = ${bash}\n`;
const useSh = `SHELL = ${sh}\n`;

/** Trees of makefiles, and what is to be stood in for. */
const trees: [title: string, files: Record<string, string>, expected: Expected, given?: string[]][] = [
  ['no makefile', {}, { path: sh }],
  ['one that says nothing', { Makefile: 'all: ; true' }, { path: sh }],
  ['the first in the order of make', { GNUmakefile: '', Makefile: '' }, { path: sh }],
  [
    'a later one that make does not read',
    { GNUmakefile: '', Makefile: useBash },
    { path: sh, exception: 'Makefile:1' },
  ],
  [
    'the same shell everywhere',
    { Makefile: useBash, 'a/Makefile': useBash, 'b/GNUmakefile': useBash, 'c.mk': 'X = 1', 'd.mk': useBash },
    { path: bash },
  ],
  [
    '/bin/sh everywhere',
    { Makefile: useSh, 'a/Makefile': useSh, 'b/Makefile': '', 'c.mk': useSh },
    { path: sh },
  ],
  [
    'another one below',
    { Makefile: '', 'a/Makefile': `X = 1\n${useBash}` },
    { path: sh, exception: 'a/Makefile:2' },
  ],
  ['none below', { Makefile: useBash, 'a/Makefile': 'X = 1' }, { path: bash, exception: 'a/Makefile' }],
  ['another one in a part', { Makefile: '', 'a/b.mk': useBash }, { path: sh, exception: 'a/b.mk:1' }],
  ['another one later', { Makefile: `${useSh}${useBash}` }, { path: bash, exception: 'Makefile:1' }],
  ['a shell for a target', { Makefile: `${useBash}x: ${useBash}` }, { path: bash }],
  ['another one for a target', { Makefile: `x: ${useBash}` }, { path: sh, exception: 'Makefile:1' }],
  ['an override', { Makefile: `override ${useSh}` }, { path: sh, exception: 'Makefile:1' }],
  ['a bare name', { Makefile: 'SHELL = sh' }, { path: sh, exception: 'Makefile:1' }],
  ['a shell that is not there', { Makefile: 'SHELL = /no/sh' }, { path: sh, exception: 'Makefile:1' }],
  ['a condition', { Makefile: `ifdef X\n${useBash}endif` }, { path: bash, exception: 'Makefile' }],
  ['a condition without effect', { Makefile: `${useBash}ifdef X\n${useBash}endif` }, { path: bash }],
  [
    'shells of other systems, under a condition',
    {
      Makefile: 'ifdef W\nSHELL = cmd.exe\nendif\nifdef B\nSHELL = /no/bash\nendif\n',
      'w.mk': 'SHELL = cmd',
    },
    { path: sh },
  ],
  ['a use before', { Makefile: `X := $(shell pwd)\n${useBash}` }, { path: bash, exception: 'Makefile:1' }],
  ['a use behind', { Makefile: `${useBash}X := $(shell pwd)\n` }, { path: bash }],
  ['perl', { Makefile: 'SHELL = /usr/bin/perl' }, { path: '/usr/bin/perl' }],
  [
    'perl for whole recipes',
    { Makefile: 'SHELL = /usr/bin/perl', 'a.mk': '\n.ONESHELL:\n' },
    { path: '/usr/bin/perl', exception: 'a.mk:2' },
  ],
  ['bash for whole recipes', { Makefile: `${useBash}.ONESHELL:\n` }, { path: bash }],
  [
    'included makefiles, where they stand',
    {
      Makefile: 'include mk/first mk/second # both\n-include $(X) none *.d\n',
      'mk/first': 'include mk/bash Makefile',
      'mk/bash': useBash,
      'mk/second': 'x.o: x.h',
    },
    { path: bash },
  ],
  [
    'another one in an included makefile',
    { Makefile: 'include a', a: `\n${useBash}${useSh}` },
    { path: sh, exception: 'a:2' },
  ],
  [
    'an included makefile with a use',
    { Makefile: `include a\n${useBash}`, a: 'X != pwd' },
    { path: bash, exception: 'a:1' },
  ],
  [
    'an inclusion under a condition',
    { Makefile: 'ifdef X\ninclude a\nendif', a: useBash },
    { path: bash, exception: 'Makefile' },
  ],
  // As that of gnulib.
  ['a GNUmakefile', { GNUmakefile: 'ifdef X\ninclude Makefile\nendif', Makefile: useBash }, { path: bash }],
  [
    'a folder that is included, and one that includes',
    {
      Makefile: `${useBash}include a/Makefile`,
      'a/Makefile': 'X = 1',
      'b/Makefile': 'include ../c',
      c: useBash,
    },
    { path: bash },
  ],
  ['the files of -f', { a: useBash, b: 'X = 1' }, { path: bash }, ['a', 'b', '-', 'missing']],
  [
    'a makefile beside those of -f',
    { a: useBash, Makefile: '' },
    { path: bash, exception: 'Makefile' },
    ['a'],
  ],
];

suite('findMakefileShell()', (test) => {
  for (const [title, files, expected, given] of trees)
    test(`reads ${title}`, async () => assert.equal(await find(files, given), expected));

  test('leaves pipes for make', async () => {
    await using dir = await tempDir();
    execFileSync('mkfifo', [`${dir.path}/pipe`]);
    assert.equal(findMakefileShell(dir.path, ['pipe'], ''), { path: sh });
  });
});
