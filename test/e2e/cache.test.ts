import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { CacheRig, withCacheRig as withRig } from '../rigs/cache.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { sandboxObstacle } from '../rigs/user.ts';

const program = {
  'main.c': '#include "value.h"\n#include <stdio.h>\nint main(void) { return printf("%d\\n", VALUE) < 0; }\n',
  'b/value.h': '#define VALUE 1\n',
};
const compile = 'cc -Ia -Ib -c -o main.o main.c';

suite('The cache of results is exact', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  /** Runs, runs again (a hit), changes something, and then expects that. */
  const after = (
    what: string,
    files: Readonly<Record<string, string>>,
    line: string,
    change: (rig: CacheRig) => void,
    expected: 'hit' | 'ran',
  ) =>
    test(`${what}: ${expected === 'hit' ? 'a hit' : 'runs'}`, () =>
      withRig(async (rig) => {
        rig.write(files);
        assert.is(await rig.sh(line), 'ran');
        // Whether it stands there counts, but where it is overwritten unseen: that is tested below.
        rig.remove('out');
        assert.is(await rig.sh(line), 'hit', 'the same again');
        rig.remove('out');
        change(rig);
        assert.is(await rig.sh(line), expected);
      }));

  after(
    'a header changed',
    program,
    compile,
    (rig) => rig.write({ 'b/value.h': '#define VALUE 2\n' }),
    'ran',
  );
  after(
    'a new header earlier in the include path',
    { ...program, 'a/x': '' },
    compile,
    (rig) => rig.write({ 'a/value.h': '#define VALUE 2\n' }),
    'ran',
  );
  after(
    'the folder of a new header did not exist',
    program,
    compile,
    (rig) => rig.write({ 'a/value.h': '#define VALUE 2\n' }),
    'ran',
  );
  after(
    'a header that hid another is deleted',
    { ...program, 'a/value.h': '#define VALUE 7\n' },
    compile,
    (rig) => rig.remove('a/value.h'),
    'ran',
  );
  after('only touched', program, compile, (rig) => utimesSync(rig.path('main.c'), 1e9, 1e9), 'hit');
  after('the output deleted by hand', program, compile, (rig) => rig.remove('main.o'), 'hit');
  after(
    'the output edited by hand',
    program,
    compile,
    (rig) => appendFileSync(rig.path('main.o'), 'x'),
    'hit',
  );
  after('an unrelated file changed', program, compile, (rig) => rig.write({ 'other.c': 'x' }), 'hit');
  after(
    'mode bits changed',
    { tool: '#!/bin/sh\necho made > out\n' },
    'test -x tool && echo yes > out || echo no > out',
    (rig) => chmodSync(rig.path('tool'), 0o755),
    'ran',
  );
  after(
    'a listed folder gained a file',
    { 'src/a': '', 'src/b': '' },
    'echo src/* > out',
    (rig) => rig.write({ 'src/c': '' }),
    'ran',
  );
  after(
    'a file in a listed folder changed',
    { 'src/a': '', 'src/b': '' },
    'echo src/* > out',
    (rig) => rig.write({ 'src/a': 'x' }),
    'hit',
  );
  after(
    'a file read only by a grandchild changed',
    { in: '1' },
    'sh -c \'sh -c "cat in" > out\'',
    (rig) => rig.write({ in: '2' }),
    'ran',
  );
  after(
    'a file read with an empty environment changed',
    { in: '1' },
    'env -i /bin/cat in > out',
    (rig) => rig.write({ in: '2' }),
    'ran',
  );
  after(
    'a file only looked at changed its size',
    { in: '1' },
    'test -s in && echo full > out || echo none > out',
    (rig) => rig.write({ in: '' }),
    'ran',
  );
  after(
    'a file looked for came to be',
    {},
    'test -e in && echo yes > out || echo no > out',
    (rig) => rig.write({ in: '' }),
    'ran',
  );
  test('what was written, but is as it was, was an input: runs', () =>
    withRig(async (rig) => {
      rig.write({ in: 'same' });
      const line = 'cp in out; touch -d 2001-01-01 out';
      for (const expected of ['ran', 'ran', 'hit']) assert.is(await rig.sh(line), expected);
      rig.write({ out: 'diff' });
      utimesSync(rig.path('out'), new Date('2001-01-01T00:00'), new Date('2001-01-01T00:00'));
      assert.is(await rig.sh(line), 'ran');
      assert.is(rig.read('out'), 'same');
    }));

  test('an output that a lone command is redirected to does not count; what is appended to, or looked at before, does', () =>
    withRig(async (rig) => {
      assert.is(await rig.sh('echo one > out'), 'ran');
      assert.is(await rig.sh('echo one > out'), 'hit');
      rig.write({ out: 'edited' });
      assert.is(await rig.sh('echo one > out'), 'hit');
      assert.is(rig.read('out'), 'one\n');
      const line = 'test -e out && echo again > out || echo first > out';
      assert.is(await rig.sh(line), 'ran');
      rig.remove('out');
      assert.is(await rig.sh(line), 'ran');
      assert.is(rig.read('out'), 'first\n');
      chmodSync(rig.path('out'), 0o755);
      assert.is(await rig.sh('echo one > out'), 'ran', 'the mode stays');
    }));

  test('a symlink retargeted: runs', () =>
    withRig(async (rig) => {
      rig.write({ one: '1', two: '2' });
      symlinkSync('one', rig.path('link'));
      assert.is(await rig.sh('cat link > out'), 'ran');
      assert.is(await rig.sh('cat link > out'), 'hit');
      unlinkSync(rig.path('link'));
      symlinkSync('two', rig.path('link'));
      assert.is(await rig.sh('cat link > out'), 'ran');
      assert.is(rig.read('out'), '2');
    }));

  test('going back to an earlier state: a hit with the outputs of then', () =>
    withRig(async (rig) => {
      rig.write(program);
      await rig.sh(compile);
      const first = readTree(rig.project);
      rig.write({ 'b/value.h': '#define VALUE 2\n' });
      await rig.sh(compile);
      rig.write({ 'b/value.h': '#define VALUE 1\n' });
      assert.is(await rig.sh(compile), 'hit');
      assert.equal(differences(first, readTree(rig.project)), []);
    }));

  test('another option, directory, umask or variable: runs; a variable that names the terminal: a hit', () =>
    withRig(async (rig) => {
      rig.write({ ...program, 'sub/x': '' });
      const line = 'cc -Ib -c -o /dev/null main.c';
      const inSub = 'cat x > /dev/null';
      rig.write({ x: '' });
      assert.is(await rig.sh(line), 'ran');
      assert.is(await rig.sh(line), 'hit');
      assert.is(await rig.sh(line.replace('-c', '-DX -c')), 'ran');
      assert.is(await rig.sh(line, { CPATH: 'a' }), 'ran');
      assert.is(await rig.sh(line, { TERM: 'vt100', MAKEFLAGS: ' -j7', SSH_TTY: '/dev/pts/3' }), 'hit');
      assert.is(await rig.sh(inSub), 'ran');
      assert.is(await rig.sh(inSub), 'hit');
      assert.is(await rig.sh(inSub, {}, 'sub'), 'ran');
      const masked = await rig.report(['run', 'sh', '-c', inSub], {
        through: ['sh', '-c', 'umask 077; exec "$@"', 'sh'],
      });
      assert.equal([masked.report.cached, masked.report.remote], [0, 1]);
    }));

  test('the compiler replaced: runs; put back: a hit', async () => {
    // Not in /tmp, which is not mirrored.
    const tools = mkdtempSync('/var/termite-tools-');
    chmodSync(tools, 0o755);
    try {
      await withRig(async (rig) => {
        const replace = (version: number) =>
          writeFileSync(join(tools, 'cc'), `#!/bin/sh\n# ${version}\nexec /usr/bin/cc "$@"\n`, {
            mode: 0o755,
          });
        rig.write(program);
        const env = { PATH: `${tools}:${rig.env.PATH}` };
        replace(1);
        assert.is(await rig.sh(compile, env), 'ran');
        assert.is(await rig.sh(compile, env), 'hit');
        replace(2);
        assert.is(await rig.sh(compile, env), 'ran');
        replace(1);
        assert.is(await rig.sh(compile, env), 'hit');
      });
    } finally {
      rmSync(tools, { recursive: true });
    }
  });

  test('a library found by the order of -L: a new one earlier runs the link again', () =>
    withRig(async (rig) => {
      const answer = (value: number) => `int answer(void) { return ${value}; }\n`;
      rig.write({
        'main.c': 'int answer(void);\nint main(void) { return answer(); }\n',
        'l1/x': '',
        'l2/answer.c': answer(0),
      });
      const library = (dir: string) => `cd ${dir} && cc -c answer.c && ar rcD libanswer.a answer.o`;
      await rig.sh(library('l2'));
      const link = 'cc -o main main.c -Ll1 -Ll2 -lanswer';
      assert.is(await rig.sh(link), 'ran');
      assert.is(await rig.sh(link), 'hit');
      rig.write({ 'l1/answer.c': answer(3) });
      await rig.sh(library('l1'));
      assert.is(await rig.sh(link), 'ran');
      assert.is((await rig.run(['./main'])).status, 3);
    }));

  test('a static program as the command', () =>
    withRig(async (rig) => {
      rig.write({ in: '1', 'cat.c': staticCat });
      await rig.sh('cc -static -nostdlib -o cat cat.c 2>/dev/null || cc -static -o cat cat.c');
      assert.is(await rig.sh('./cat'), 'ran');
      assert.is(await rig.sh('./cat'), 'hit');
      rig.write({ in: '2' });
      assert.is(await rig.sh('./cat'), 'ran');
      const { stdout } = await rig.termite(['run', 'sh', '-c', './cat']);
      assert.is(stdout, '2');
    }));

  test('two commands writing the same file in turn', () =>
    withRig(async (rig) => {
      for (let round = 0; round < 4; round++) {
        await rig.sh('echo one > out');
        assert.is(rig.read('out'), 'one\n');
        await rig.sh('echo other > out');
        assert.is(rig.read('out'), 'other\n');
      }
      await rig.sh('echo one >> out');
      await rig.sh('echo one >> out');
      assert.is(rig.read('out'), 'other\none\none\n');
    }));

  test('commands that fail, read their input or write elsewhere run each time', () =>
    withRig(async (rig) => {
      const cachedOf = async (line: string, input?: string) =>
        (await rig.report(['run', 'sh', '-c', line], input === undefined ? {} : { input })).report.cached;
      for (let round = 0; round < 2; round++) {
        assert.is(await cachedOf('exit 3'), 0);
        assert.is(await cachedOf('kill -KILL $$'), 0);
        assert.is(await cachedOf('cat', `text ${round}`), 0);
        assert.is(await cachedOf('echo x > "$HOME/x"'), 0);
        assert.is(await cachedOf('cp -p /etc/hostname . ; cp -p hostname copy'), 0);
      }
      assert.is(await cachedOf('echo unread', 'first'), 0);
      assert.is(await cachedOf('echo unread', 'second'), 1, 'it does not depend on stdin');
      assert.is(await cachedOf('echo unread'), 1);
      assert.is(await cachedOf('wc -c'), 0);
      assert.is(await cachedOf('wc -c'), 1, 'there was nothing to read both times');
      assert.is(await cachedOf('wc -c', '12345'), 0);
    }));

  test('an input changed while the command runs: the result is that of the input it began with', () =>
    withRig(async (rig) => {
      rig.write({ in: '1' });
      const line = 'cat in > out; sleep 1.03125';
      const running = rig.sh(line);
      await rig.findProcess(/^sleep 1[.]03125/);
      rig.write({ in: '2' });
      assert.is(await running, 'ran');
      assert.is(rig.read('out'), '1');
      rig.remove('out');
      assert.is(await rig.sh(line), 'ran');
      assert.is(rig.read('out'), '2');
      rig.remove('out');
      rig.write({ in: '1' });
      assert.is(await rig.sh(line), 'hit');
      assert.is(rig.read('out'), '1');
    }));

  test('output, status, modes, links and deletions come back as they were', () =>
    withRig(async (rig) => {
      const line = `echo out; echo err >&2; mkdir -p d/e && echo x > d/e/x && chmod 750 d/e/x && ln d/e/x d/hard &&
        ln -s e/x d/soft && mkfifo d/fifo && rm gone && mkdir -m 700 d/private && touch -d 2001-02-03 d/old`;
      const before = { gone: 'x' };
      rig.write(before);
      const first = await rig.report(['run', 'sh', '-c', line]);
      const tree = readTree(rig.project);
      rig.remove('d');
      rig.write(before);
      const second = await rig.report(['run', 'sh', '-c', line]);
      assert.is(second.report.cached, 1);
      assert.equal([second.stdout, second.stderr], [first.stdout, first.stderr]);
      assert.equal(differences(tree, readTree(rig.project)), []);
      assert.not(existsSync(rig.path('gone')));
    }));
});

const makefile = `OBJECTS = one.o two.o main.o
CC = cc
prog: $(OBJECTS)
	$(CC) -o $@ $(OBJECTS)
%.o: %.c common.h
	$(CC) -c -o $@ $<
clean:
	rm -f prog $(OBJECTS)
`;
const sources = {
  Makefile: makefile,
  'common.h': 'int one(void), two(void);\n',
  'one.c': '#include "common.h"\nint one(void) { return 1; }\n',
  'two.c': '#include "common.h"\nint two(void) { return 2; }\n',
  'main.c': '#include "common.h"\nint main(void) { return one() + two() - 3; }\n',
};

suite('The cache of results across builds', (test) => {
  test('make clean and make: all hits, also by the next master; make then has nothing to do', async () => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    await using rig = new CacheRig('root');
    rig.write(sources);
    assert.equal(await rig.make(), [0, 4]);
    const built = readTree(rig.project);
    await rig.run(['make', 'clean']);
    assert.equal(await rig.make(), [4, 0]);
    assert.equal(differences(built, readTree(rig.project)), []);
    assert.is((await rig.run(['make', '-q'])).status, 0);
  });

  test('a comment changed: the compiler runs, the link is a hit', async () => {
    await using rig = new CacheRig('root');
    rig.write(sources);
    await rig.make();
    rig.write({ 'one.c': `${sources['one.c']}/* a comment */\n` });
    assert.equal(await rig.make(), [1, 1]);
  });

  test('a rule that says "Cache": false', async () => {
    await using rig = new CacheRig('root');
    rig.write({ ...sources, '.termite-localrc': '[{ "Regexp": "one[.]o", "Cache": false }]' });
    await rig.make();
    await rig.run(['make', 'clean']);
    assert.equal(await rig.make(), [2, 2], 'the compile of one.c and the link name it');
  });
});

const staticCat = `#include <fcntl.h>
#include <unistd.h>
int main(void) { char c; int fd = open("in", O_RDONLY); while (read(fd, &c, 1) == 1) write(1, &c, 1); return 0; }
`;
