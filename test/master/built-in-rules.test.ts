import * as assert from 'uvu/assert';
import { type BuiltInReason, builtInReason, builtInRules } from '../../master/built-in-rules.ts';
import { suite } from '../harness/suite.ts';

const cases: [line: string, reason: BuiltInReason | undefined][] = [
  ['make', 'recursive'],
  ['make -C lib all', 'recursive'],
  ['gmake all', 'recursive'],
  ['/usr/local/bin/gmake -j4', 'recursive'],
  ['cd lib && make', 'recursive'],
  ['cd lib && exec make all', 'recursive'],
  ['cd lib; make', 'recursive'],
  ['(cd lib && make)', 'recursive'],
  ['for d in a b; do (cd $d && make all) || exit 1; done', 'recursive'],
  ['for d in a b; do make -C $d; done', 'recursive'],
  ['if test -f x; then make x; fi', 'recursive'],
  ['if make -q x; then :; else make x; fi', 'recursive'],
  ['! make', 'recursive'],
  ['{ make; }', 'recursive'],
  ['while ! make; do sleep 1; done', 'recursive'],
  ['CC=gcc CFLAGS="-O2 -g" make', 'recursive'],
  ['env -i PATH=/bin make', 'recursive'],
  ['env -u MAKEFLAGS CC=gcc /usr/bin/make x', 'recursive'],
  ['nice -n 10 make', 'recursive'],
  ['timeout -s KILL 10 make', 'recursive'],
  ["echo 'all: ; true' | make -f -", 'recursive'],
  ['test x = "$(make -s version)"', 'recursive'],
  ['v=`make -s version`; echo $v', 'recursive'],
  ['\u0024{MAKE} all', 'recursive'],
  ['"make" all', 'recursive'],
  ['ma\\\nke all', 'recursive'],
  ['echo first\nmake second', 'recursive'],
  ['>log 2>&1 make all', 'recursive'],
  ['cat <<EOF >x\nmake no\nEOF\nmake yes', 'recursive'],
  ['case $t in x) make x;; esac', 'recursive'],
  ['true) make', 'recursive'],
  ['termite make -j4', 'recursive'],

  ['flock .lock sh -c "echo >> log"', 'lock'],
  ['/usr/bin/lockfile -r 3 x.lock && ./step', 'lock'],
  ['cd x && dotlockfile -l y', 'lock'],
  ['until mkdir lock.d; do sleep 1; done; ./step', 'lock'],
  ['while ! test -f ready; do sleep 0.1; done', 'lock'],
  ['sleep 1; ./step', undefined],
  ['gcc -o flock x.o', undefined],
  ['./flock.sh', undefined],

  ['gcc -o make x.o', undefined],
  ['echo make', 'trivial'],
  ['echo "a; make b"', 'trivial'],
  ["echo 'a && make b'", 'trivial'],
  ['echo a \\; make b', 'trivial'],
  ['makeinfo -o x.info x.texi', undefined],
  ['./makedeps make', undefined],
  ['automake --gnu', undefined],
  ['install -m 755 make /usr/bin/make', 'trivial'],
  ['rm -f make; cp x make.o', 'trivial'],
  ['for t in make gmake; do echo $t; done', 'trivial'],
  ['case $t in make) echo x;; gmake) echo y;; esac', undefined],
  ['case $t in\n  make) echo x;;\nesac', undefined],
  ['# make\necho x', undefined],
  ['echo x # make', 'trivial'],
  ['cat > x <<EOF\nmake this\nEOF', undefined],
  ["cat > x <<-'END'\n\tmake this\n\tEND\n", undefined],
  ['cc >make', undefined],
  ['env', undefined],
  ['X=make', undefined],
  ['', undefined],

  ['cmake -E touch x', 'trivial'],
  ['cd /b && /usr/bin/cmake -E cmake_depends "Unix Makefiles" /s /s /b', 'trivial'],
  ['cd b && cmake3 -E cmake_progress_start CMakeFiles 3 && touch x', 'trivial'],
  [': && /usr/bin/cmake -E rm -f a.a && /usr/bin/ar qc a.a x.o && /usr/bin/ranlib a.a && :', undefined],
  ['cmake -E copy a b && cc -c x.c', undefined],
  ['cmake -E echo x > y', undefined],
  ['cmake -E cmake_link_script CMakeFiles/a.dir/link.txt --verbose=1', undefined],
  ['cmake -E __run_co_compile --tidy=clang-tidy --source=x.c -- /usr/bin/cc -c x.c', undefined],
  ['cmake -E env CC=gcc ./generate x', undefined],
  ['cmake -E env --unset=CC make x', 'recursive'],
  ['cmake -E chdir sub make x', 'recursive'],
  ['cmake -E time cmake -E env A=b touch x', 'trivial'],
  ['cmake -E env cmake --build . | tee log', 'build-tool'],
  ['ninja -C out | tee log', 'build-tool'],
  ['cmake x', undefined],
  ['/usr/bin/cmake -S/s -B/b --check-build-system CMakeFiles/Makefile.cmake 0', 'build-tool'],
  ['cmake -DX=1 -P cmake_install.cmake', 'build-tool'],
  ['cmake --build .', 'build-tool'],
  ['ninja -C out', 'build-tool'],
  ['meson compile', 'build-tool'],
  ['cd b && ctest', 'build-tool'],
  ['/usr/bin/cc -c cmake.c', undefined],
  ['echo cmake -E', 'trivial'],
  ['./cmake-gen -E x', undefined],
  ['cd b && ./cmake-gen -E', undefined],
  ['python3 ninja.py', undefined],

  ['mv -f lib/.deps/x.Tpo lib/.deps/x.Po', 'trivial'],
  ['rm -f libfoo.a', 'trivial'],
  ['rm -rf "a b" *.o $(OBJECTS)', undefined],
  ['rm -rf "a b" *.o $x', 'trivial'],
  ['test -d x || mkdir -p x', 'trivial'],
  ['[ -d x ] || mkdir x', 'trivial'],
  ["/bin/mkdir -p 'x' && /usr/bin/install -c -m 644 a 'x'", 'trivial'],
  ['cd sub && touch stamp', 'trivial'],
  ['if test -f x; then rm x; else :; fi', 'trivial'],
  ['(cd x; ln -sf ../y z)', 'trivial'],
  ['for f in a b; do cp -p src/$f .; done', 'trivial'],
  ['while ! test -e x; do touch x; done', 'trivial'],
  ['chmod a-w x 2>/dev/null || :', 'trivial'],
  ['mkdir x >/dev/null 2>&1; exit 0', 'trivial'],
  ['mkdir \\\n  -p x', 'trivial'],
  ['! mkdir x', 'trivial'],
  ['echo x >&2', 'trivial'],
  ['rm -f x && cc -o x x.c', undefined],
  ['mv -f $(cat list) x', undefined],
  ['rm -f `cat list`', undefined],
  ['./rm -f x', undefined],
  ['tools/bin/cp a b', undefined],
  ['mvn package', undefined],
  ['test-driver x', undefined],
  ['echo x > y', undefined],
  ['echo x >/dev/null/y', undefined],
  ['echo x >&3', undefined],
  ['cp /dev/stdin x < y', undefined],
  ['$RM x', undefined],
  ['rm() { cc x; }; rm', undefined],

  ['./server &', 'background'],
  ['./server >log 2>&1 & echo $! >pid', 'background'],
  ['(./server &) && ./client', 'background'],
  ['if ./a; then ./server& fi', 'background'],
  ['nohup ./server >/dev/null &', 'background'],
  ['./a & ./b & wait', undefined],
  ['./a && ./b', undefined],
  ['./a || ./b', undefined],
  ['./a >&2 2>&1', undefined],
  ['./a &>log', undefined],
  ['./a |& ./b', undefined],
  ['cc -DX=\'a & b\' "c & d" e\\&f', undefined],
  ['./a # b & c', undefined],
];

suite('builtInReason()', (test) => {
  for (const [line, reason] of cases) {
    test(`takes ${JSON.stringify(line)} for ${reason ?? 'an ordinary line'}`, () => {
      assert.is(builtInReason(line), reason);
    });
  }

  test('ends for lines that no shell would take', () => {
    for (const line of [
      'make "',
      "make '",
      'make `',
      'make $(',
      'a ) ) make',
      'make ${',
      'cat <<make',
      'make \\',
      'case make in',
    ]) {
      builtInReason(line);
    }
  });
});

suite('builtInRules', (test) => {
  for (const { reason, programs } of builtInRules) {
    for (const program of programs) {
      test(`says of "${program}" what holds`, () => assert.is(builtInReason(`cd x && ${program} y`), reason));
    }
  }
});
