import { mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { CacheRig } from '../rigs/cache.ts';
import { runCommand } from '../rigs/command.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** Changes the files of a project by hand. */
class Hand {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** @param second its time, counted from one that is the same for all files; without it: now */
  write(path: string, content: string, second?: number): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), content);
    if (second !== undefined) this.touch(path, second);
  }

  touch(path: string, second: number): void {
    utimesSync(join(this.root, path), 1.6e9 + second, 1.6e9 + second);
  }

  rename(from: string, to: string): void {
    renameSync(join(this.root, from), join(this.root, to));
  }
}

interface Scenario {
  /** A line for /bin/sh. */
  line: string;
  begin: (hand: Hand) => void;
  /** What happens between the runs; the line is run before the first, and after each. */
  edits: readonly ((hand: Hand) => void)[];
  /** Programs without which it cannot be tried. */
  needs?: readonly string[];
  /** What is not compared. */
  ignore?: (path: string) => boolean;
}

const nothing = () => {};
const twoFiles = (hand: Hand) => {
  hand.write('a', 'one\n', 10);
  hand.write('b', 'two\n', 20);
};
const backAndForth = [
  (hand: Hand) => hand.touch('a', 30),
  (hand: Hand) => hand.touch('a', 20),
  (hand: Hand) => hand.touch('a', 5),
  nothing,
  (hand: Hand) => hand.touch('b', 1),
  (hand: Hand) => hand.touch('b', 20),
];
const script = (text: string) => (hand: Hand) => {
  twoFiles(hand);
  hand.write('x.sh', text, 0);
};

/** Commands whose outcome depends on times, and some that must not be thought to. */
const scenarios: Readonly<Record<string, Scenario>> = {
  'rsync, which takes files of one size and time for equal': {
    line: 'rsync -a in/ out/',
    begin: (hand) => {
      hand.write('in/a', 'v1\n', 10);
      hand.write('in/b', 'b1\n', 10);
    },
    edits: [
      nothing,
      (hand) => hand.write('in/a', 'v2\n', 20),
      nothing,
      (hand) => hand.write('in/a', 'v1\n', 20),
    ],
    needs: ['rsync'],
  },
  'test -nt in a line': {
    line: 'if [ a -nt b ]; then cat a; else cat b; fi',
    begin: twoFiles,
    edits: backAndForth,
  },
  'test -nt in a script': {
    line: 'sh x.sh',
    begin: script('[ a -nt b ] && echo newer; [ a -ot b ] && echo older; true\n'),
    edits: backAndForth,
  },
  'a script that makes what is older, and reads both': {
    line: 'sh x.sh',
    begin: (hand) => {
      hand.write('in', 'one\n', 10);
      hand.write('x.sh', 'if [ ! -e out ] || [ in -nt out ]; then echo making; cat in > out; fi\n', 0);
    },
    edits: [
      nothing,
      nothing,
      (hand) => hand.write('in', 'two\n'),
      nothing,
      (hand) => hand.write('in', 'one\n', 10),
      (hand) => hand.write('in', 'one\n'),
      nothing,
    ],
  },
  'the age of a folder': {
    line: 'sh x.sh',
    begin: (hand) => {
      hand.write('d/x', '', 10);
      hand.touch('d', 10);
      script('[ d -nt a ] && echo newer; true\n')(hand);
    },
    edits: [
      nothing,
      (hand) => hand.touch('d', 50),
      (hand) => hand.touch('a', 60),
      (hand) => hand.touch('a', 40),
    ],
  },
  'find -newer': {
    line: 'find d -type f -newer b | sort; echo > b',
    begin: (hand) => {
      hand.write('b', '', 20);
      hand.write('d/x', 'x', 10);
      hand.write('d/y', 'y', 30);
    },
    edits: [
      nothing,
      (hand) => hand.touch('d/x', 5),
      (hand) => hand.write('d/x', 'x'),
      nothing,
      (hand) => hand.touch('b', 1),
    ],
  },
  'ls -t, which sorts by age what is then read': {
    line: 'cat $(ls -t a b)',
    begin: twoFiles,
    edits: backAndForth,
  },
  'a make that nobody sees': {
    line: 'M=ma; N=ke; $M$N -f rules',
    begin: (hand) => {
      hand.write('rules', 'c: b\n\tcat b > c\nb: a\n\tcat a > b\n', 0);
      hand.write('a', 'one\n', 10);
    },
    edits: [
      nothing,
      nothing,
      (hand) => hand.touch('b', 1),
      nothing,
      (hand) => hand.write('a', 'two\n'),
      nothing,
      (hand) => hand.touch('c', 2),
    ],
  },
  'a file of the future': {
    line: 'sh x.sh',
    begin: script('cat a b > /dev/null; : > new; [ a -nt new ] && echo future; rm new\n'),
    edits: [(hand) => hand.touch('a', 2.5e9 - 1.6e9), (hand) => hand.touch('a', 10)],
  },
  'times printed by stat': { line: 'stat -c %Y a | tr 0-9 a-j', begin: twoFiles, edits: backAndForth },
  'times printed from within a script': {
    line: 'sh x.sh',
    begin: script('cat a; ls -l --time-style=full-iso a | cut -d" " -f6-\n'),
    edits: backAndForth,
  },
  'times that diff prints': {
    line: 'sh x.sh',
    begin: script('diff -u a b; true\n'),
    edits: backAndForth,
  },
  'times in a file that python writes': {
    line: `python3 -c 'import os, struct; open("out", "wb").write(struct.pack("<I", int(os.stat("a").st_mtime)))'`,
    begin: twoFiles,
    edits: backAndForth,
    needs: ['python3'],
  },
  'times in an archive that is compressed': {
    line: 'tar -czf x.tgz a b && tar --full-time -tzf x.tgz',
    begin: twoFiles,
    edits: backAndForth,
    ignore: (path) => path === 'x.tgz',
  },
  'a program with __TIMESTAMP__': {
    line: 'cc -o p p.c && ./p',
    begin: (hand) =>
      hand.write('p.c', '#include <stdio.h>\nint main(void) { return puts(__TIMESTAMP__) < 0; }\n', 10),
    edits: [(hand) => hand.touch('p.c', 20), (hand) => hand.touch('p.c', 10)],
  },
  'an object with __TIMESTAMP__': {
    line: 'cc -c -o p.o p.c',
    begin: (hand) => hand.write('p.c', 'char when[] = __TIMESTAMP__;\n', 10),
    edits: [(hand) => hand.touch('p.c', 20), (hand) => hand.touch('p.c', 10)],
  },
  'times that are copied': {
    line: 'cat a > /dev/null; cp -p a c',
    begin: twoFiles,
    edits: [(hand) => hand.touch('a', 15), (hand) => hand.touch('a', 10), (hand) => hand.touch('b', 3)],
  },
  'times that are given on': {
    line: 'cat a > c; touch -r b c',
    begin: twoFiles,
    edits: [(hand) => hand.touch('b', 15), (hand) => hand.touch('a', 3)],
  },
  'modules that python has compiled': {
    line: `python3 -c 'import m; m.f()' && python3 -c 'import os, struct, glob; print(struct.unpack("<I", open(glob.glob("__pycache__/m.*")[0], "rb").read()[8:12])[0] == int(os.stat("m.py").st_mtime))'`,
    begin: (hand) => hand.write('m.py', 'def f(): print(1)\n', 10),
    edits: [
      nothing,
      nothing,
      (hand) => hand.touch('m.py', 20),
      nothing,
      (hand) => hand.write('m.py', 'def f(): print(2)\n', 20),
      (hand) => hand.touch('m.py', 10),
    ],
    needs: ['python3'],
  },
  'headers that clang has compiled': {
    line: 'clang -x c-header a.h -o a.h.pch && clang -include-pch a.h.pch -c -o m.o m.c; echo $?',
    begin: (hand) => {
      hand.write('a.h', 'int f(void);\n', 10);
      hand.write('m.c', 'int main(void) { return f(); }\n', 10);
    },
    edits: [nothing, (hand) => hand.touch('a.h', 20), (hand) => hand.touch('a.h', 10)],
    needs: ['clang'],
    ignore: (path) => path.endsWith('.pch'),
  },
  'headers that clang has compiled, and that are younger now': {
    line: '[ -e a.h.pch ] || clang -x c-header a.h -o a.h.pch; clang -include-pch a.h.pch -fsyntax-only m.c 2> /dev/null; echo $?',
    begin: (hand) => {
      hand.write('a.h', 'int f(void);\n', 10);
      hand.write('m.c', 'int main(void) { return f(); }\n', 10);
    },
    edits: [nothing, nothing, (hand) => hand.touch('a.h', 20), (hand) => hand.touch('a.h', 10)],
    needs: ['clang'],
    ignore: (path) => path.endsWith('.pch'),
  },
  'another file of the same size and age in its place': {
    line: 'test -s a && ls a b',
    begin: (hand) => {
      twoFiles(hand);
      hand.write('c', 'ONE\n', 10);
    },
    edits: [(hand) => hand.rename('c', 'a')],
  },
};

suite('Commands that depend on times', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  for (const [what, scenario] of Object.entries(scenarios)) {
    test(`do as they do plainly: ${what}`, async () => {
      const { line, begin, edits, needs = [], ignore = () => false } = scenario;
      for (const program of needs) {
        const { status } = await runCommand(['/bin/sh', '-c', `command -v ${program}`], { cwd: '/' });
        if (status !== 0) skip(`no ${program}`, 'tools');
      }
      await using rig = new CacheRig('root');
      await using _master = await rig.daemon(['master'], /ready/);
      // The same place for both, one after the other: paths may show in what they leave.
      const steps = [begin, ...edits];
      const seen: { stdout: string; tree: Map<string, string> }[][] = [];
      for (const run of [
        (dir: string) => rig.run(['/bin/sh', '-c', line], { cwd: dir }),
        (dir: string) => rig.termite(['run', '--root', dir, 'sh', '-c', line], { cwd: dir }),
      ]) {
        for (const name of readdirSync(rig.project)) rmSync(rig.path(name), { recursive: true });
        const results: { stdout: string; tree: Map<string, string> }[] = [];
        for (const step of steps) {
          // Files of one tick of the kernel's clock are of one age.
          await pause(20);
          step(new Hand(rig.project));
          await pause(20);
          const { stdout } = await run(rig.project);
          results.push({ stdout, tree: readTree(rig.project, ignore) });
        }
        seen.push(results);
      }
      for (const [index, plain] of seen[0]!.entries()) {
        const ours = seen[1]![index]!;
        assert.is(ours.stdout, plain.stdout, `printed after step ${index}`);
        assert.equal(differences(plain.tree, ours.tree), [], `left after step ${index}`);
      }
    });
  }
});

suite('What depends on no times', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  const hits = (what: string, line: string, begin: (hand: Hand) => void, edit: (hand: Hand) => void) =>
    test(`is a hit: ${what}`, async () => {
      await using rig = new CacheRig('root');
      await using _master = await rig.daemon(['master'], /ready/);
      const hand = new Hand(rig.project);
      begin(hand);
      assert.is(await rig.sh(line), 'ran');
      edit(hand);
      assert.is(await rig.sh(line), 'hit');
    });

  const source = (hand: Hand) => hand.write('a.c', 'int a;\n', 10);
  hits('a compile after touch', 'cc -c -o a.o a.c', source, (hand) => hand.touch('a.c', 20));
  hits('an archive after touch', 'ar rcD lib.a a', twoFiles, (hand) => {
    rmSync(join(hand.root, 'lib.a'));
    hand.touch('a', 30);
  });
  hits('a script that reads all it finds', 'cat b a', twoFiles, (hand) => hand.touch('a', 30));
  hits('ages that changed in the same order', 'ls a b; cat b', twoFiles, (hand) => hand.touch('a', 15));
  const log = 'cat a > log; echo more >> log; cat log';
  hits(
    'another content of what is overwritten unread',
    log,
    (hand) => {
      twoFiles(hand);
      hand.write('log', 'old\n', 5);
    },
    (hand) => hand.write('log', 'quite another\n'.repeat(10_000)),
  );
  hits(
    'the same, of a program that is not known',
    'awk 1 a > log; echo more >> log; cat log',
    (hand) => {
      twoFiles(hand);
      hand.write('log', 'old\n', 25);
    },
    (hand) => hand.write('log', 'another\n'),
  );
  hits(
    'another content of what is removed unread',
    'rm -f log; cat a > log',
    (hand) => {
      twoFiles(hand);
      hand.write('log', 'old\n', 5);
    },
    (hand) => hand.write('log', 'another\n', 5),
  );

  test('counts what a command overwrites, but has read', async () => {
    await using rig = new CacheRig('root');
    await using _master = await rig.daemon(['master'], /ready/);
    const hand = new Hand(rig.project);
    for (const line of [
      'cat log a > new; mv new log',
      'wc -c log; cat a > log',
      ': < log; cat a > log',
      'echo x >> log; cat a',
    ]) {
      // Large files are read by the kernel itself where that may be.
      for (const size of [1, 50_000]) {
        twoFiles(hand);
        hand.write('log', 'first\n'.repeat(size), 5);
        assert.is(await rig.sh(line), 'ran', line);
        hand.write('log', 'other\n'.repeat(size), 5);
        assert.is(await rig.sh(line), 'ran', line);
      }
    }
  });
});
