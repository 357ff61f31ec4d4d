import * as assert from 'uvu/assert';
import { knownVariables } from '../../master/known-programs.ts';
import { simpleCommands } from '../../master/shell-words.ts';
import { timeUseOf } from '../../master/time-use.ts';
import { suite } from '../harness/suite.ts';

/** Which of the names can matter to a line; undefined: anything can. */
function matter(
  line: string,
  names: readonly string[],
  { env = [], shell = '/bin/sh', unknown = [] }: { env?: string[]; shell?: string; unknown?: string[] } = {},
): string[] | undefined {
  const canMatter = knownVariables(
    { argv: [shell, '-c', line], env, commands: simpleCommands(line), line },
    (word) => !unknown.includes(word),
  );
  return canMatter && names.filter(canMatter);
}

suite('knownVariables()', (test) => {
  test('are those that compilers document, the shell reads, and the line expands', () => {
    const names = [
      'CPATH',
      'LC_ALL',
      'LD_RUN_PATH',
      'SOURCE_DATE_EPOCH',
      'PATH',
      'PWD',
      'X',
      'Y',
      'EDITOR',
      'MAKEFLAGS',
    ];
    const documented = ['CPATH', 'LC_ALL', 'LD_RUN_PATH', 'SOURCE_DATE_EPOCH', 'PATH', 'PWD'];
    assert.equal(matter('cc -c a.c -o a.o', names), documented);
    assert.equal(matter('cc -D"Q=$X" -c a.c && mv \x24{Y}.Tpo a.Po', names), [...documented, 'X', 'Y']);
    assert.equal(matter('cc -flto -o a a.o', ['MAKEFLAGS', 'EDITOR']), ['MAKEFLAGS']);
  });

  test('are known of the compile lines of automake', () => {
    const line =
      "depbase=`echo a.o | sed 's|[^/]*$|.deps/&|;s|\\.o$||'`;\\\ngcc -MT a.o -MD -MF $depbase.Tpo -c -o a.o a.c &&\\\nmv -f $depbase.Tpo $depbase.Po";
    assert.equal(matter(line, ['CPATH', 'EDITOR', 'depbase']), ['CPATH', 'depbase']);
  });

  for (const [why, line] of [
    ['a script', './gen a.c'],
    ['a compiler of the project', './gcc -c a.c'],
    ['a program that prints the environment', 'env && cc -c a.c'],
    ['a builtin that does', 'set; cc -c a.c'],
    ['a compiler that runs something else', 'cc -wrapper ./x -c a.c'],
    ['a plugin', 'cc -fplugin=./x.so -c a.c'],
    ['a linker of the project', 'cc -B. -o a a.o'],
    ['arguments that are in a file', 'cc @args'],
    ['a variable named by another', 'cc -c \x24{!X}'],
    ['arithmetic on variables', 'cc -DX=$((N+1)) -c a.c'],
    ['a sed that runs commands', 'echo id | sed e; cc -c a.c'],
    ['a sed script in a file', 'sed -f x a; cc -c a.c'],
    ['a comparison of ages', 'test a -nt b && cc -c a.c'],
    ['an archive that holds times', 'ar rcU x.a a.o'],
    ['a copy of what is newer', 'cp -u a b && cc -c a.c'],
  ] as const) {
    test(`are not known of a line with ${why}`, () => {
      assert.is(matter(line, []), undefined);
    });
  }

  test('are not known where a program is not that of the system, or is subverted', () => {
    assert.is(matter('cc -c a.c', [], { unknown: ['cc'] }), undefined);
    assert.is(matter('cc -c a.c', [], { env: ['LD_PRELOAD=x.so'] }), undefined);
    assert.is(matter('cc -c a.c', [], { env: ['BASH_FUNC_cc%%=() { :; }'] }), undefined);
    assert.is(matter('cc -c a.c', [], { shell: '/usr/bin/perl' }), undefined);
  });
});

suite('timeUseOf()', (test) => {
  const use = (line: string) => timeUseOf(simpleCommands(line));

  test('knows programs that show or keep times', () => {
    for (const line of [
      ...[
        'tar cf x.tar a',
        'tar -czf x a',
        'cd a && tar --create a',
        'ls -l',
        'ls -la *',
        'stat -c %Y a',
        'date -r a',
      ],
      ...[
        'find . -printf %T@',
        'find . -newermt now',
        'find . | cpio -o | gzip > i',
        'git status',
        'zip x a',
        'ar rcU x a.o',
      ],
    ])
      assert.is(use(line), 'shown', line);
  });

  test('knows programs that pick files by their times', () => {
    for (const line of [
      'ls -t *.log | head -1',
      'find . -newer x',
      '[ a -nt b ] && c',
      'rsync -a a b',
      './x; cp -u a b',
    ])
      assert.is(use(line), 'sorted', line);
  });

  test('takes all others for programs that may compare what they do not read', () => {
    for (const line of [
      './configure',
      'tar xf x.tar',
      'tar --mtime=@0 -cf x a',
      'ls',
      'date',
      'find . -name x',
      'ar rc x a.o',
    ])
      assert.is(use(line), 'compared', line);
  });
});
