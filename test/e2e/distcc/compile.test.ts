import { statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Case, hello, replay } from './replay.ts';

const compile = 'gcc -o testtmp.o -c testtmp.c';
const buildAndRun = [compile, 'gcc -o testtmp testtmp.o', './testtmp'];

/** A program that says hello, by whatever detour. */
function greeting(files: Readonly<Record<string, string>>, lines: readonly string[] = buildAndRun): Case {
  return { files, lines, stdout: 'hello world\n' };
}

function including(header: string): Case {
  return greeting({
    'testtmp.c': hello['testtmp.c'].replace('testhdr.h', header),
    [header]: hello['testhdr.h'],
  });
}

function inLanguage(suffix: string, include: string, compiler: string, runtime = ''): Case {
  const source = hello['testtmp.c'].replaceAll('#include', include);
  return greeting({ [`testtmp.${suffix}`]: source, 'testhdr.h': hello['testhdr.h'] }, [
    `${compiler} -o testtmp.o -c testtmp.${suffix}`,
    `${compiler} -o testtmp testtmp.o ${runtime}`,
    './testtmp',
  ]);
}

const assembler = '.text\n.globl answer\nanswer:\n  ret\n.section .note.GNU-stack,"",@progbits\n';
const bigSource = Array.from({ length: 200_000 }, (_, i) => `int i${i};\n`).join('');

replay("distcc's tests of compilations", {
  CompileHello: greeting(hello),
  CommaInFilename: including('foo1,2.h'),
  BackslashInFilename: including('subdir\\testhdr.h'),
  ComputedInclude: greeting({
    ...hello,
    'testtmp.c': hello['testtmp.c']
      .replace('"testhdr.h"', 'HEADER')
      .replace(/^/, '#define HEADER "testhdr.h"\n'),
  }),
  BackslashInMacro: greeting(
    {
      ...hello,
      'testtmp.c':
        '#include <string.h>\n#include "testhdr.h"\n#include <stdio.h>\nint main(void) {\n' +
        '  if (strcmp(PATH, "c:\\\\hello\\\\world") == 0) puts(HELLO_WORLD);\n  return 0;\n}\n',
    },
    ['gcc \'-DPATH="c:\\\\hello\\\\world"\' -o testtmp testtmp.c', './testtmp'],
  ),
  CPlusPlus: inLanguage('cpp', '#include', 'g++'),
  ObjectiveC: { ...inLanguage('m', '#import', 'gcc'), needs: 'cc1obj' },
  ObjectiveCPlusPlus: { ...inLanguage('mm', '#import', 'g++'), needs: 'cc1objplus' },
  SystemIncludeDirectories: greeting(hello, [
    `${compile} -I/usr/include/`,
    'gcc -o testtmp testtmp.o',
    './testtmp',
  ]),
  CPlusPlus_SystemIncludeDirectories: inLanguage('cpp', '#include', 'g++ -I/usr/include/'),
  DashONoSpace: greeting(hello, ['gcc -c testtmp.c -otesttmp.o', 'gcc -otesttmp testtmp.o', './testtmp']),
  WriteDevNull: {
    files: hello,
    lines: ['gcc -c testtmp.c -o /dev/null && test -c /dev/null'],
    check: () => assert.ok(statSync('/dev/null').isCharacterDevice()),
  },
  MultipleCompile: {
    files: { 'test1.c': 'const char *msg = "hello foreigner";', 'test2.c': '#include <stdio.h>\n' },
    lines: ['gcc -c test1.c test2.c'],
    made: { 'test1.o': /hello foreigner/, 'test2.o': /ELF/ },
  },
  SBeatsC: {
    files: hello,
    lines: ['gcc -c -S testtmp.c'],
    made: { 'testtmp.s': /\.string\s+"hello world"/, 'testtmp.o': undefined },
  },
  ImpliedOutput: greeting(hello, ['gcc -c testtmp.c', 'gcc testtmp.o', './a.out']),
  AbsSourceFilename: greeting(hello, [
    'gcc -c $PWD/testtmp.c -o $PWD/testtmp.o',
    'gcc $PWD/testtmp.o',
    '$PWD/a.out',
  ]),
  DashD: {
    files: { 'testtmp.c': '#include <stdio.h>\nint main(void) { return puts(MESSAGE) < 0; }\n' },
    lines: ['gcc \'-DMESSAGE="hello DashD"\' -c testtmp.c', 'gcc -o testtmp testtmp.o', './testtmp'],
    stdout: 'hello DashD\n',
  },
  EmptyDefine: greeting(hello, ['gcc -D NOTHING= -c testtmp.c', 'gcc testtmp.o', './a.out']),
  ForceDirectory: {
    files: { 'testtmp.c': '#include "sub/../testhdr.h"\n', 'testhdr.h': '', 'sub/': '' },
    lines: [compile],
    made: { 'testtmp.o': /ELF/ },
  },
  PreprocessPlainText: {
    files: { 'testtmp.txt': '#define HELLO Welcome to\n#if 1\nHELLO distcc\n#else\nNot me\n#endif\n' },
    lines: ['gcc -E -x c -P testtmp.txt -o testtmp.out'],
    made: { 'testtmp.out': /^Welcome to distcc\n$/ },
  },
  RemoteAssemble: {
    files: { 'test.s': assembler },
    lines: ['gcc -o test.o -c test.s'],
    made: { 'test.o': /answer/ },
  },
  PreprocessAsm: {
    files: { 'test.S': assembler.replace('.text', '#define START .text\nSTART') },
    lines: ['gcc -o test.o -c test.S'],
    made: { 'test.o': /answer/ },
  },
  EmptySource: {
    files: { 'test.i': '' },
    lines: ['gcc -c test.i'],
    made: { 'test.o': /ELF/ },
  },
  ModeBits: {
    files: hello,
    lines: [`umask 0 && ${compile}`],
    check: ({ dir }) => assert.is(statSync(join(dir, 'testtmp.o')).mode & 0o7777, 0o666),
  },
  BigAssFile: { files: { 'test.c': bigSource }, lines: ['gcc -c test.c'], made: { 'test.o': /i199999/ } },
  Unicode: greeting(
    {
      'größe.c':
        '#include <stdio.h>\n#include "πρώτο.h"\nint main(void) { return puts("hello wörld 雪") < 0; }\n',
      'πρώτο.h': '',
    },
    ['gcc -c größe.c -o größe.o', 'gcc -o größe größe.o', './größe | sed "s/wörld 雪/world/"'],
  ),
  CompilerOptionsPassed: { lines: ['gcc --help'], stdout: /^Usage: \S*gcc / },
  HundredFold: {
    files: hello,
    lines: Array.from({ length: 100 }, (_, i) => `gcc -DROUND=${i} -o testtmp${i}.o -c testtmp.c`),
  },
  Concurrent: {
    files: hello,
    lines: Array.from({ length: 50 }, (_, i) => `gcc -DCOPY=${i} -o testtmp${i}.o -c testtmp.c`),
    jobs: 50,
  },
});
