import * as assert from 'uvu/assert';
import { type CompileCommand, compileCommands } from '../../master/compile-commands.ts';
import { suite } from '../harness/suite.ts';

const everything = () => true;

/** Directory, file, output and arguments of each entry, briefly. */
function entries(line: string, exists: (path: string) => boolean = everything): string[] {
  return compileCommands(line, { cwd: '/p', exists }).map(show);
}

const show = ({ directory, file, output, arguments: words }: CompileCommand) =>
  `${directory} ${file} ${output ?? 'nothing'}: ${words.join('|')}`;

suite('compileCommands()', (test) => {
  const cases: [what: string, line: string, entries: string[]][] = [
    ['a compile', 'cc -O2 -c -o x.o x.c', ['/p /p/x.c x.o: cc|-O2|-c|-o|x.o|x.c']],
    ['an output that is not named', 'cc -c d/x.c', ['/p /p/d/x.c x.o: cc|-c|d/x.c']],
    [
      'an output in the same word',
      'c++ -c x.cc -obuild/x.o',
      ['/p /p/x.cc build/x.o: c++|-c|x.cc|-obuild/x.o'],
    ],
    ['assembly', 'gcc -S x.c', ['/p /p/x.c x.s: gcc|-S|x.c']],
    ['a check', 'gcc -fsyntax-only x.c', ['/p /p/x.c nothing: gcc|-fsyntax-only|x.c']],
    [
      'a cross compiler',
      'aarch64-linux-gnu-g++-12 -c x.cpp',
      ['/p /p/x.cpp x.o: aarch64-linux-gnu-g++-12|-c|x.cpp'],
    ],
    ['a path and a version', '/opt/bin/clang-17 -c x.c', ['/p /p/x.c x.o: /opt/bin/clang-17|-c|x.c']],
    ['ccache', 'ccache gcc -c x.c', ['/p /p/x.c x.o: gcc|-c|x.c']],
    [
      'several launchers',
      'env A=1 /usr/bin/ccache CCACHE_X=1 distcc gcc -c x.c',
      ['/p /p/x.c x.o: gcc|-c|x.c'],
    ],
    [
      'several sources: each gets its own',
      'cc -o prog main.c util.c -lm',
      ['/p /p/main.c prog: cc|-o|prog|main.c|-lm', '/p /p/util.c prog: cc|-o|prog|util.c|-lm'],
    ],
    ['a program without name', 'cc x.c', ['/p /p/x.c a.out: cc|x.c']],
    [
      'values that look like sources',
      'cc -include a.c -I b.c -D C=d.c -c x.c',
      ['/p /p/x.c x.o: cc|-include|a.c|-I|b.c|-D|C=d.c|-c|x.c'],
    ],
    ['a language of its own', 'cc -x c++ -c x.inc', ['/p /p/x.inc x.o: cc|-x|c++|-c|x.inc']],
    ['quotes', `cc '-DA="b c"' -DE=\\"f\\" -c "x y.c"`, ['/p /p/x y.c x y.o: cc|-DA="b c"|-DE="f"|-c|x y.c']],
    ['a folder', 'cd sub && cc -c x.c', ['/p/sub /p/sub/x.c x.o: cc|-c|x.c']],
    [
      'several folders',
      'cd /q; cc -c x.c; cd r && cc -c y.c',
      ['/q /q/x.c x.o: cc|-c|x.c', '/q/r /q/r/y.c y.o: cc|-c|y.c'],
    ],
    [
      "automake's dependencies",
      'depbase=`echo src/x.o | sed "s|\\.o$||"`;\\\ngcc -DH -MT src/x.o -MD -MP -MF $depbase.Tpo -c -o src/x.o src/x.c &&\\\nmv -f $depbase.Tpo $depbase.Po',
      ['/p /p/src/x.c src/x.o: gcc|-DH|-c|-o|src/x.o|src/x.c'],
    ],
    [
      "the kernel's",
      'set -e;   gcc -Wp,-MMD,kernel/.x.o.d -nostdinc -Wp,-DA -c -o kernel/x.o kernel/x.c ; ./tools/objtool/objtool kernel/x.o',
      ['/p /p/kernel/x.c kernel/x.o: gcc|-nostdinc|-Wp,-DA|-c|-o|kernel/x.o|kernel/x.c'],
    ],
    [
      'libtool',
      '/bin/bash ../libtool  --tag=CC   --mode=compile ccache gcc -Wc,-fx,-fy -prefer-pic -MT a.lo -MD -MF .deps/a.Tpo -c -o a.lo a.c',
      ['/p /p/a.c a.o: gcc|-fx|-fy|-c|-o|a.o|a.c'],
    ],
    [
      'what a substitution gives is not known',
      'cc `pkg-config --cflags x` -I $(pwd) -c x.c',
      ['/p /p/x.c x.o: cc|-c|x.c'],
    ],
  ];
  for (const [what, line, expected] of cases) {
    test(`knows ${what}`, () => assert.equal(entries(line), expected));
  }

  const others = [
    ...['gcc -E x.c', 'gcc -M x.c', 'cc -o prog a.o b.o', 'cc --version', 'cc -x c -', 'cc @files', 'cc'],
    ...['echo cc -c x.c', 'mycc -c x.c', 'ccache --show-stats', 'ld -o x x.c', 'rm -f x.c', 'bash cc -c x.c'],
    ...['libtool --mode=link gcc -o x.la x.lo', 'ccache', '# cc -c x.c', 'cc -c x.f90'],
  ];
  for (const line of others) {
    test(`takes "${line}" for no compile`, () => assert.equal(entries(line), []));
  }

  test('leaves out what is not there', () => {
    const exists = (path: string) => path === '/p/a.c';
    assert.equal(entries('cc -c a.c; cc -c b.c; for i in x y; do cc -c $i.c; done', exists), [
      '/p /p/a.c a.o: cc|-c|a.c',
    ]);
  });

  test('goes back to where a subshell was left', () => {
    const exists = (path: string) => path === '/p/sub/a.c' || path === '/p/b.c';
    assert.equal(entries('(cd sub && cc -c a.c) && cc -c b.c', exists), [
      '/p/sub /p/sub/a.c a.o: cc|-c|a.c',
      '/p /p/b.c b.o: cc|-c|b.c',
    ]);
  });

  test("finds automake's sources, in the build folder or in that of the sources", () => {
    const line = "gcc -c -o prog-x.o `test -f 'x.c' || echo '../src/'`x.c";
    assert.equal(entries(line), ['/p /p/x.c prog-x.o: gcc|-c|-o|prog-x.o|x.c']);
    const isSource = (path: string) => path === '/src/x.c';
    assert.equal(entries(line, isSource), ['/p /src/x.c prog-x.o: gcc|-c|-o|prog-x.o|../src/x.c']);
  });
});
