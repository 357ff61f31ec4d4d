import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { CacheRig, withCacheRig as withRig } from '../rigs/cache.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** A rule that sends away also what costs less beside make. */
const everythingRemote = { '.termite-localrc': '[{ "Regexp": "", "Local": false }]' };

/** TERM does not count, so that a command that looks at it is answered with what it did under another one. */
const under = (rig: CacheRig, TERM: string) => ({ env: { ...rig.env, TERM } });

/** The folders of both versions that a message names. */
function keptIn(stderr: string): string {
  return /both versions are in (\S+)/.exec(stderr)?.[1] ?? '';
}

function read(...path: string[]): string {
  return readFileSync(join(...path), 'utf8');
}

suite('termite make --verify', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('runs hits again, finds them as they were, and goes on using them', () =>
    withRig(async (rig) => {
      rig.write({
        ...everythingRemote,
        Makefile:
          'main: main.c\n\tcc -o main main.c\n\techo built; echo warning >&2\n\tcat main > copy; chmod 750 copy; ln -s copy link; rm junk\n',
        'main.c': 'int main(void) { return 0; }\n',
        junk: '',
      });
      await rig.make();
      rig.remove('main', 'copy', 'link');
      rig.write({ junk: '' });
      const { report, stderr } = await rig.report(['make', '--verify', '-j2', '-B']);
      const { cached, remote, verified, mismatched } = report;
      assert.equal([cached, remote, verified, mismatched], [0, 3, 3, 0], stderr);
      assert.match(stderr, /3 commands in .*: 3 remote, 3 verified\n$/);
      rig.remove('main', 'copy', 'link');
      rig.write({ junk: '' });
      assert.equal(await rig.make(), [3, 0]);
    }));

  test('finds what reads the clock: names it, keeps both versions, never uses it again', () =>
    withRig(async (rig) => {
      rig.write({
        Makefile: 'all: stamp copy\nstamp: ; date +%s%N > stamp\ncopy: in ; cat in > copy\n',
        in: 'x',
      });
      await rig.make();
      const cached = rig.read('stamp');
      rig.remove('stamp', 'copy');
      const { status, stderr, report } = await rig.report(['make', '--verify']);
      const fresh = rig.read('stamp');
      assert.is.not(fresh, cached, 'the fresh one is applied');
      assert.equal([status, report.verified, report.mismatched, report.failed], [0, 2, 1, 0]);
      assert.match(
        stderr,
        /^termite: the cached result of "date \+%s%N > stamp" was not reproduced and will not be used again: "stamp" differs at byte \d+$/m,
      );
      assert.match(stderr, /: 2 remote, 2 verified, 1 mismatch\n$/);
      const kept = keptIn(stderr);
      assert.equal([read(kept, 'cached/files/stamp'), read(kept, 'fresh/files/stamp')], [cached, fresh]);
      assert.match(read(kept, 'differences'), /^date \+%s%N > stamp\n\n"stamp" differs at byte \d+\n$/);
      rig.remove('stamp', 'copy');
      assert.equal(await rig.make(), [1, 1]);
      const why = (await rig.termite(['why', 'stamp'])).stdout;
      assert.match(why, /not from cache: the result of the earlier run was not reproduced/);
      assert.match(why, /its result is not kept: an earlier run on the same inputs did something else/);
      assert.match((await rig.termite(['cache', 'stats'])).stdout, /^quarantine 1 results/m);
    }));

  test('compares output, status, modes, links and deletions too', () =>
    withRig(async (rig) => {
      const recipes: [name: string, recipe: string, finding: RegExp][] = [
        ['out', 'echo "$$TERM"', /: stdout differs at byte 1\n/],
        ['err', 'echo "$$TERM" >&2', /: stderr differs at byte 1\n/],
        ['mode', 'touch mode; chmod $$TERM mode', /: "mode" has mode 0711 instead of 0700\n/],
        ['link', 'ln -s $$TERM link', /: "link" is a link to "711" instead of a link to "700"\n/],
        ['kept', 'test $$TERM = 711 || rm kept', /: "kept" is a file with mode \d+ instead of absent\n/],
        ['two', 'touch two $$TERM', /: "700" is absent .*, and 1 more\n/],
        ['end', 'test $$TERM = 700', /: it ended with status 1 instead of status 0\n/],
      ];
      const names = recipes.map(([name]) => name);
      rig.write({
        ...everythingRemote,
        Makefile: `.PHONY: ${names.join(' ')}\n${recipes.map(([name, recipe]) => `${name}: ; @${recipe}\n`).join('')}`,
        kept: '',
      });
      for (const [name, , finding] of recipes) {
        const first = await rig.report(['make', name], under(rig, '700'));
        assert.is(first.status, 0, first.stderr);
        rig.remove('mode', 'link', 'two', '700');
        rig.write({ kept: '' });
        const { status, stderr, report } = await rig.report(['make', '--verify', name], under(rig, '711'));
        assert.match(stderr, finding);
        assert.equal([report.verified, report.mismatched], [1, 1], stderr);
        assert.is(status, name === 'end' ? 2 : 0, "make's status is that of what it did now");
        if (name === 'link') assert.is(readlinkSync(rig.path('link')), '711', 'the fresh one is applied');
        rig.remove('711');
      }
    }));

  test('finds out a fingerprint that leaves something out', async () => {
    await using rig = new CacheRig('root');
    rig.env['TERMITE_TEST_DISTORT'] = 'content';
    await using _master = await rig.daemon(['master'], /ready/);
    rig.write({ in: 'one\n', Makefile: 'out: in ; cat in > out\n' });
    await rig.make();
    rig.write({ in: 'two\n' });
    assert.equal(await rig.make('-B'), [1, 0], 'a wrong hit');
    assert.is(rig.read('out'), 'one\n');
    const { report } = await rig.report(['make', '--verify', '-B']);
    assert.is(report.mismatched, 1);
    assert.is(rig.read('out'), 'two\n');
  });

  test('of a percentage only: some hits are used, others run', () =>
    withRig(async (rig) => {
      const names = Array.from({ length: 30 }, (_, index) => `o${index}`);
      rig.write({ Makefile: `all: ${names.join(' ')}\n${names.join(' ')}: ; @echo made > $@\n` });
      await rig.make();
      rig.remove(...names);
      const half = (await rig.report(['make', '--verify=50', '-j2'])).report;
      assert.is(half.cached + half.remote, names.length);
      assert.is(half.remote, half.verified);
      assert.ok(half.cached > 0 && half.verified > 0, 'the chance of either is 2^-30');
      rig.remove(...names);
      const none = (await rig.report(['make', '--verify=0'])).report;
      assert.equal([none.cached, none.verified], [names.length, 0]);
    }));

  test('counts a hit that was run again as no time saved', () =>
    withRig(async (rig) => {
      await rig.sh('sleep 0.2');
      await rig.report(['run', '--verify', 'sh', '-c', 'sleep 0.2']);
      assert.match((await rig.termite(['cache', 'stats'])).stdout, /^hits +0, saved 0\.0 s$/m);
      assert.is(await rig.sh('sleep 0.2'), 'hit');
      assert.match((await rig.termite(['cache', 'stats'])).stdout, /^hits +1, saved (?!0\.[01] )/m);
    }));

  test('termite run --verify does the same for one command', () =>
    withRig(async (rig) => {
      const argv = ['sh', '-c', 'echo $TERM | tee out'];
      await rig.report(['run', ...argv], under(rig, 'a'));
      const same = await rig.report(['run', '--verify', ...argv], under(rig, 'a'));
      assert.equal(
        [same.stdout, same.report.verified, same.report.mismatched],
        ['a\n', 0, 0],
        'out exists now',
      );
      rig.remove('out');
      const other = await rig.report(['run', '--verify', ...argv], under(rig, 'b'));
      assert.equal([other.status, other.stdout, other.report.mismatched], [0, 'b\n', 1]);
      assert.match(other.stderr, /"out" differs at byte 0, and 1 more/);
    }));
});

suite('termite run --twice', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('says that a command is deterministic, and ends as it does; both runs see the same files', () =>
    withRig(async (rig) => {
      rig.write({ log: '' });
      const { status, stdout, stderr, report } = await rig.report(
        ['run', '--twice', 'sh', '-c', 'echo line >> log; mkdir d; cat; exit 7'],
        { input: 'typed' },
      );
      assert.equal([status, stdout], [7, 'typed']);
      assert.match(stderr, /^termite: deterministic: 2 outputs, what it printed and its end are equal\n$/);
      assert.equal([report.verified, report.mismatched], [1, 0]);
      assert.is(rig.read('log'), 'line\n', 'done once');
    }));

  test('names everything that differs, keeps both versions, applies the first, and ends with 1', () =>
    withRig(async (rig) => {
      const { status, stdout, stderr } = await rig.report([
        ...['run', '--twice', 'sh', '-c', 'echo same > same; echo at $(date +%N) | tee a > b; cat a'],
      ]);
      assert.is(status, 1);
      assert.match(
        stderr,
        /^termite: not deterministic:\n {2}"a" differs at byte \d+\n {2}"b" differs at byte \d+\n {2}stdout differs at byte \d+\n {2}both versions are in \S+\n$/,
      );
      const kept = keptIn(stderr);
      assert.is(read(kept, 'first/files/a'), rig.read('a'));
      assert.is(read(kept, 'first/stdout'), stdout);
      assert.is.not(read(kept, 'second/files/b'), rig.read('b'));
      assert.not(existsSync(join(kept, 'first/files/same')));
    }));

  test('neither looks into the cache nor fills it', () =>
    withRig(async (rig) => {
      const line = 'echo x > out';
      const twice = () => rig.report(['run', '--twice', 'sh', '-c', line]);
      assert.equal([(await twice()).report.cached, await rig.sh(line)], [0, 'ran']);
      assert.equal([(await twice()).report.cached, await rig.sh(line)], [0, 'hit']);
    }));

  test('refuses what does not run in a sandbox, and does not run it', () =>
    withRig(async (rig) => {
      rig.write({ '.termite-localrc': '[{ "Regexp": "touch", "Local": true }]' });
      const { status, stderr } = await rig.termite(['run', '--twice', 'touch', 'x']);
      assert.is(status, 125);
      assert.match(stderr, /Cannot compare two runs/);
      assert.equal(readdirSync(rig.project).sort(), ['.termite-localrc']);
    }));
});
