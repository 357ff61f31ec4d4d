import * as assert from 'uvu/assert';
import { type Case, hello, replay } from './replay.ts';

const crash = '#!/bin/sh\nkill -SEGV $$\n';
const nothing = { 'testtmp.o': undefined };

function failing(source: string, stderr: RegExp): Case {
  const lines = ['gcc -o testtmp.o -c testtmp.c'];
  return { files: { 'testtmp.c': source }, lines, status: 2, stderr, made: nothing };
}

replay("distcc's tests of errors", {
  CppError: failing(
    '#error "not tonight dear"\n',
    /^testtmp\.c:1:.*error: #error "not tonight dear"\n[\s\S]*Error 1\n$/,
  ),
  BadInclude: failing(
    '#include <nosuchfilehere.h>\n',
    /fatal error: nosuchfilehere\.h: No such file[\s\S]*Error 1\n$/,
  ),
  SyntaxError: failing('not C source at all\n', /^testtmp\.c:1:.*error/),
  NonexistentSource: {
    lines: ['gcc -c nonexistent.c'],
    status: 2,
    stderr: /Error 1\n$/,
    check: ({ stderr }) => assert.is(stderr.match(/nonexistent\.c/g)?.length, 1, stderr),
  },
  MissingCompiler: {
    files: hello,
    lines: ['no-such-compiler -c testtmp.c'],
    isConfirmed: true,
    status: 2,
    stderr: /^\S+: 1: no-such-compiler: not found\n.*Error 127\n$/,
  },
  BogusOption: {
    files: hello,
    lines: ['gcc --bogus-option -c testtmp.c'],
    status: 2,
    stderr: /bogus-option/,
  },
  BinFalse: {
    files: { 'testtmp.i': '' },
    lines: ['/bin/false -c testtmp.i'],
    isConfirmed: true,
    status: 2,
    stderr: /Error 1\n$/,
  },
  BinTrue: { files: { 'testtmp.i': '' }, lines: ['/bin/true -c testtmp.i'] },
  EmptyOutput: {
    files: { 'testtmp.c': '' },
    lines: ['gcc -E -P testtmp.c -o testtmp.i'],
    made: { 'testtmp.i': /^$/ },
  },
  CompilerDies: {
    files: { crash },
    lines: ['./crash -c x.c || exit $?'],
    isConfirmed: true,
    status: 2,
    stderr: /^Segmentation fault\n.*Error 139\n$/,
  },
  'CompilerDies, in place of the shell': {
    files: { crash },
    lines: ['exec ./crash -c x.c'],
    status: 2,
    stderr: /^make: .*Segmentation fault\n$/,
  },
  'CompilerDies, the part that compiles': {
    files: { 'bin/cc1': crash, 'testtmp.c': '' },
    lines: ['gcc -B$PWD/bin/ -c testtmp.c'],
    status: 2,
    stderr: /Segmentation fault signal terminated program cc1/,
    made: nothing,
  },
  PartialOutput: {
    files: { 'testtmp.c': '' },
    lines: ['gcc -c testtmp.c && gcc -c nonexistent.c -o other.o'],
    status: 2,
    stderr: /nonexistent\.c/,
    made: { 'testtmp.o': /ELF/, 'other.o': undefined },
  },
});
