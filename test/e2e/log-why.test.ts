import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { buildLogSchema } from '../../protocol/build-log.ts';
import { skip, suite } from '../harness/suite.ts';
import { CacheRig, withCacheRig as withRig } from '../rigs/cache.ts';
import type { TermiteRig } from '../rigs/termite.ts';
import { sandboxObstacle } from '../rigs/user.ts';

async function told(rig: TermiteRig, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await rig.termite(args);
  assert.is(status, 0, stderr);
  return stdout;
}

const makefile = `all: sub/one.o sum
sub/one.o: sub/one.c
	cc -c -o sub/one.o sub/one.c
sum: in
	cat in > sum; cat in >&2
local:
	cmake -E true
bad:
	cat in; exit 3
worse:
	cc -c missing.c
`;
const sources = { Makefile: makefile, 'sub/one.c': 'int one;\n', in: 'text\n' };

suite('termite log', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('lists number, place, time, key and command of the last build only', () =>
    withRig(async (rig) => {
      rig.write(sources);
      await rig.make('-j1');
      const lines = (await told(rig, 'log')).trimEnd().split('\n');
      assert.is(lines.length, 2);
      assert.match(lines[0]!, /^#1 +remote +\d+ ms {2}[0-9a-f]{12} {2}cc -c -o sub\/one\.o sub\/one\.c$/);
      assert.match(lines[1]!, /^#2 +remote +\d+ ms {2}[0-9a-f]{12} {2}cat in > sum; cat in >&2$/);
      rig.remove('sum');
      await rig.make();
      assert.match(
        await told(rig, 'log'),
        /^#1 +cache +\d+ ms {2}[0-9a-f]{12} {2}cat in > sum; cat in >&2\n$/,
      );
    }));

  test('shows what ran locally, or failed and has no key; --json gives all that is known', () =>
    withRig(async (rig) => {
      rig.write(sources);
      await rig.termite(['make', '-k', 'local', 'bad', 'worse']);
      const text = await told(rig, 'log');
      assert.match(text, /^#\d +local +\d+ ms {16}cmake -E true$/m);
      assert.match(text, /^#\d +local +\d+ ms {16}cat in; exit 3$/m);
      assert.match(text, /^#\d +remote +\d+ ms {16}cc -c missing\.c$/m);
      const commands = (await told(rig, 'log', '--json'))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      const parsed = buildLogSchema.parse({ version: 1, endedMs: 0, commands }).commands;
      const bad = parsed.find(({ line }) => line.includes('exit 3'));
      assert.equal([bad?.reason, bad?.limit, bad?.cwd], ['failed', { kind: 'failed' }, rig.project]);
      const worse = parsed.find(({ line }) => line.includes('missing'));
      assert.equal([worse?.hasFailed, worse?.notStored], [true, 'failed']);
    }));

  test('works after the master has ended, from below the root with --root, and says when there was no build', async () => {
    await using rig = new CacheRig('root');
    rig.write(sources);
    const none = await rig.termite(['log']);
    assert.is(none.status, 125);
    assert.match(none.stderr, /^termite: No build of ".*" is known\n {2}Run "termite make" there first/);
    await rig.make();
    assert.is((await told(rig, 'log')).split('\n').length, 3);
    const below = await rig.termite(['log', '--root', rig.project], { cwd: rig.path('sub') });
    assert.is(below.stdout, await told(rig, 'log'));
  });
});

suite('The last build', (test) => {
  test('is one that did anything, not one that found all done', async () => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    await using rig = new CacheRig('root');
    rig.write({
      Makefile: 'all: ; +$(MAKE) -s -f sub.mk\n',
      'sub.mk': 'out: sub.mk ; sed s/a/b/ sub.mk > $@\n',
    });
    for (const _ of ['build', 'look again']) {
      await rig.make();
      assert.match(await told(rig, 'why', 'out'), /sed/);
    }
  });
});

suite('termite why', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('finds a command by its number, an output, a part of its line, and the last one', () =>
    withRig(async (rig) => {
      rig.write(sources);
      await rig.make('-j1');
      const headOf = async (...args: string[]) => (await told(rig, 'why', ...args)).split('\n', 1)[0];
      const [compile, sum] = ['#1 cc -c -o sub/one.o sub/one.c', '#2 cat in > sum; cat in >&2'];
      for (const wanted of ['#1', '1', 'sub/one.o', './sub/one.o', 'one.o', 'sub/one.c'])
        assert.is(await headOf(wanted), compile, wanted);
      for (const args of [['sum'], ['--last'], [], ['#2'], ['>&2']]) assert.is(await headOf(...args), sum);
      for (const wanted of ['#0', '#3', 'nothing.o']) {
        const { status, stderr } = await rig.termite(['why', wanted]);
        assert.is(status, 125);
        assert.match(stderr, new RegExp(`^termite: No command of the last build fits "${wanted}"\n`));
      }
    }));

  test('says where it ran: from cache, by which executor, here and for which reason', () =>
    withRig(async (rig) => {
      rig.write(sources);
      await rig.make();
      assert.match(
        await told(rig, 'why', 'sum'),
        /^#\d .*\nrun by [\w.-]+, in \d+ ms\nnot from cache: this command has not been run before, so or in this folder\n$/,
      );
      rig.remove('sum');
      await rig.make();
      assert.match(
        await told(rig, 'why', 'sum'),
        /^#1 .*\nfrom cache, in \d+ ms instead of \d+ ms: all that it looks at is unchanged\n$/,
      );
      await rig.termite(['make', 'local']);
      assert.match(await told(rig, 'why'), /\nlocal: trivial, in \d+ ms\n$/);
    }));

  test('says why a result is not kept', () =>
    withRig(async (rig) => {
      const kept: [line: string, words: RegExp, input?: string][] = [
        ['exit 3', /\nlocal: failed, in \d+ ms\nnot in a sandbox: there it failed\n$/],
        ['cat', /its result is not kept: it read standard input\n$/, 'text'],
        ['echo x > $HOME/x', /\nnot in a sandbox: there it left ".*\/x", outside the project\n$/],
      ];
      rig.write({ in: '' });
      for (const [line, words, input] of kept) {
        await rig.termite(['run', 'sh', '-c', line], input === undefined ? {} : { input });
        assert.match(await told(rig, 'why'), words);
      }
    }));

  /** Runs, changes something, runs again, and then asks why. */
  const afterChange = async (
    rig: CacheRig,
    line: string,
    change: () => void,
    env: NodeJS.ProcessEnv = {},
  ) => {
    await rig.sh(line);
    change();
    rig.remove('out');
    assert.is(await rig.sh(line, env), 'ran');
    return await told(rig, 'why');
  };

  test('names the file that differs, what it was, and what it is', () =>
    withRig(async (rig) => {
      const changes: [line: string, change: () => void, words: RegExp][] = [
        [
          'cat in > out',
          () => rig.write({ in: 'other' }),
          /"in" was a file with mode 0644 and content [0-9a-f]{12}, now a file with mode 0644 and content [0-9a-f]{12}\n/,
        ],
        [
          'test -x in || echo no > out',
          () => chmodSync(rig.path('in'), 0o600),
          /"in" was a file with mode 0644 and content [0-9a-f]{12}, now a file with mode 0600 and content [0-9a-f]{12}\n/,
        ],
        [
          'test -e new || echo no > out; touch out',
          () => rig.write({ new: '' }),
          /"new" was absent, now a file with mode 0644 and content [0-9a-f]{12}\n/,
        ],
        [
          'test -e gone; touch out',
          () => rig.remove('gone'),
          /"gone" was a file with mode 0644 and content [0-9a-f]{12}, now absent\n/,
        ],
        [
          'echo d/* > out',
          () => rig.write({ 'd/b': '' }),
          /"d" was a folder with mode 0755 and the names [0-9a-f]{12}, now a folder with mode 0755 and the names [0-9a-f]{12}\n/,
        ],
      ];
      rig.write({ in: 'x', gone: 'x', 'd/a': '' });
      for (const [line, change, words] of changes) {
        const text = await afterChange(rig, line, change);
        assert.match(
          text,
          /\nnot from cache: something that it looks at is not as in any earlier run\n {2}"/,
        );
        assert.match(text, words);
      }
    }));

  test('compares with the nearest of several earlier runs', () =>
    withRig(async (rig) => {
      const states = [
        ['1', '1', '1'],
        ['2', '2', '2'],
        ['1', '2', '3'],
      ];
      for (const [a, b, c] of states.slice(0, 2)) {
        rig.write({ a: a!, b: b!, c: c! });
        await rig.sh('cat a b c > out');
      }
      rig.write({ a: '2', b: '2', c: '3' });
      await rig.sh('cat a b c > out');
      const text = await told(rig, 'why');
      assert.match(text, /^ {2}"c" was .*, now .*$/m);
      assert.not.match(text, /"[ab]" was/);
    }));

  test('names the argument, the variable and the umask that differ', () =>
    withRig(async (rig) => {
      rig.write({ 'a.c': '' });
      await rig.sh('cc -O1 -c -o a.o a.c', { CPATH: 'x', LC_GONE: '1' });
      await rig.sh('cc -O2 -c -o a.o a.c', { CPATH: 'y', LC_NEW: '2' });
      const text = await told(rig, 'why', 'a.o');
      assert.match(text, /\nnot from cache: this command has not been run before, so or in this folder\n/);
      const wanted = ['argument "-O1" is gone', 'argument "-O2" is new', 'variable CPATH was x, now y'];
      for (const line of [...wanted, 'variable LC_GONE was 1, now unset', 'variable LC_NEW was unset, now 2'])
        assert.ok(text.includes(`\n  ${line}\n`), `${line}:\n${text}`);
      await rig.report(['run', 'sh', '-c', 'cc -O2 -c -o a.o a.c'], {
        ...{ env: { ...rig.env, CPATH: 'y', LC_NEW: '2' } },
        through: ['sh', '-c', 'umask 077; exec "$@"', 'sh'],
      });
      assert.match(await told(rig, 'why'), /\n {2}umask was 22, now 77\n$/);
    }));

  test('names a file outside the project that differs', async () => {
    // Not in /tmp, which is not mirrored.
    const tools = mkdtempSync('/var/termite-tools-');
    chmodSync(tools, 0o755);
    try {
      await withRig(async (rig) => {
        const tool = join(tools, 'tool');
        const replace = (word: string) =>
          writeFileSync(tool, `#!/bin/sh\necho ${word} > out\n`, { mode: 0o755 });
        replace('one');
        const text = await afterChange(rig, tool, () => replace('another'));
        assert.match(
          text,
          new RegExp(`\n {2}"${tool}" was a file with mode 0755 and content .*, now a file`),
        );
      });
    } finally {
      rmSync(tools, { recursive: true });
    }
  });

  test('tells of a result whose content is gone', () =>
    withRig(async (rig) => {
      await rig.sh('echo some content of its own > out');
      rig.remove('out');
      const { hash } = digestOf(Buffer.from('some content of its own\n'));
      rmSync(join(rig.base, 'cache/termite/cas', hash.slice(0, 2), hash));
      assert.is(await rig.sh('echo some content of its own > out'), 'ran');
      assert.match(
        await told(rig, 'why'),
        /\nnot from cache: an output of the earlier run is not in the store any more\n$/,
      );
    }));

  test('tells of a check', () =>
    withRig(async (rig) => {
      await rig.sh('echo x > out');
      await rig.report(['run', '--verify', 'sh', '-c', 'echo x > out']);
      assert.match(await told(rig, 'why'), /\nits result was checked: another run gave the same\n$/);
      await rig.sh('date +%N > new');
      rig.remove('new');
      await rig.report(['run', '--verify', 'sh', '-c', 'date +%N > new']);
      assert.match(await told(rig, 'why'), /\nits result was checked: another run gave a different one\n/);
    }));
});
