import { chmodSync, mkdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { type CacheRig, withCacheRig as withRig } from '../rigs/cache.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** Two compiles, a link, and a script that prints its environment in part. */
const project = {
  Makefile: `
OBJECTS = a.o b.o
all: prog out.txt
prog: $(OBJECTS)
	$(CC) -o $@ $(OBJECTS)
%.o: %.c
	$(CC) -c -o $@ $<
out.txt: gen.sh
	sh gen.sh > $@
clean:
	rm -f *.o prog out.txt
`,
  'a.c': 'int b(void);\nint main(void) { return b(); }\n',
  'b.c': 'int b(void) { return 0; }\n',
  'gen.sh': 'echo "$WANTED $MAKEFLAGS $TERM"; while read -r x; do echo; done < /dev/null\n',
};

suite('Variables', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  /** Of the four commands, after `make clean`. */
  async function ran(rig: CacheRig, env: NodeJS.ProcessEnv, args: readonly string[] = []): Promise<number> {
    await rig.run(['make', 'clean']);
    const { status, stderr, report } = await rig.report(['make', ...args], { env: { ...rig.env, ...env } });
    assert.is(status, 0, stderr);
    assert.is(report.cached + report.remote, 4, stderr);
    return report.remote;
  }

  const built = (body: (rig: CacheRig) => Promise<void>) =>
    withRig(async (rig) => {
      rig.write(project);
      assert.is(await ran(rig, {}), 4);
      assert.is(await ran(rig, {}), 0);
      await body(rig);
    });

  test('of another terminal, an editor or a run of a CI system do not count', () =>
    built(async (rig) => {
      const env = {
        TERM: 'vt100',
        TMUX: '/tmp/x,1,0',
        VSCODE_PID: '7',
        GITHUB_RUN_ID: '5',
        BUILD_NUMBER: '9',
        SHLVL: '7',
      };
      assert.is(await ran(rig, env), 0);
    }));

  test('that nobody knows count for what is no compiler', () =>
    built(async (rig) => {
      assert.is(await ran(rig, { WANTED: 'x' }), 1);
      assert.match(rig.read('out.txt'), /^x /);
      assert.is(await ran(rig, { WANTED: 'x' }), 0);
    }));

  test('that compilers document count for compilers', () =>
    built(async (rig) => {
      mkdirSync(rig.path('inc'));
      assert.is(await ran(rig, { CPATH: rig.path('inc') }), 4);
    }));

  test('that make or its command line sets count whatever their names', () =>
    built(async (rig) => {
      assert.is(await ran(rig, {}, ['TERM=dumb']), 1);
      assert.match(rig.read('out.txt'), /TERM=dumb dumb$/m);
      rig.write({ Makefile: `export BUILD_NUMBER = 7\n${project.Makefile}` });
      assert.is(await ran(rig, {}), 1);
      rig.write({ Makefile: `export BUILD_NUMBER = 8\n${project.Makefile}` });
      assert.is(await ran(rig, {}), 1);
    }));

  test('in which make tells its flags count for what may look at them', () =>
    built(async (rig) => {
      assert.is(await ran(rig, {}, ['-k']), 1);
      assert.match(rig.read('out.txt'), /^ k /);
      assert.is(await ran(rig, {}, ['-j3', '-k']), 0, 'the job server is no flag');
      assert.is(await ran(rig, {}, ['-s']), 1);
    }));

  test('count for a compiler that is a script of its user', () =>
    withRig(async (rig) => {
      rig.write({ ...project, 'bin/cc': '#!/bin/sh\nexec /usr/bin/cc -DV="$MY_LEVEL" "$@"\n' });
      chmodSync(rig.path('bin/cc'), 0o755);
      const PATH = `${rig.path('bin')}:${process.env['PATH']}`;
      assert.is(await ran(rig, { PATH, MY_LEVEL: '1' }), 4);
      assert.is(await ran(rig, { PATH, MY_LEVEL: '1' }), 0);
      assert.is(await ran(rig, { PATH, MY_LEVEL: '2' }), 4);
    }));

  test('for which alone many commands ran are named, with the rule that ignores them', () =>
    withRig(async (rig) => {
      const names = Array.from({ length: 12 }, (_, i) => `o${i}`);
      rig.write({
        Makefile: `all: ${names.join(' ')}\no%: in\n\tawk 1 in > $@\nclean:\n\trm -f o*\n`,
        in: 'x\n',
      });
      const build = async (env: NodeJS.ProcessEnv) => {
        await rig.run(['make', 'clean']);
        return rig.report(['make'], { env: { ...rig.env, ...env } });
      };
      await build({ STAMP: '1' });
      const { stderr, report } = await build({ STAMP: '2' });
      assert.is(report.remote, 12);
      assert.match(
        stderr,
        /12 commands ran only because variable STAMP .*\{"Regexp":"","Env":\{"Ignore":\["STAMP"\]\}\}/,
      );
      const summary = await rig.termite(['why', '--summary']);
      assert.match(summary.stdout, /^12 run: variable STAMP differed$/m);
      rig.write({ '.termite-localrc': '[{ "Regexp": "", "Env": { "Ignore": ["STAMP"] } }]' });
      await build({ STAMP: '3' });
      assert.is((await build({ STAMP: '4' })).report.cached, 12);
    }));
});

suite('Where the output of commands goes', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('does not count for what prints nothing, or to one stream', () =>
    withRig(async (rig) => {
      rig.write({
        Makefile:
          'all: a.o out\na.o: a.c\n\tcc -Wall -c -o $@ $<\nout: a.c\n\tawk 1 a.c > $@\nclean:\n\trm -f a.o out\n',
        'a.c': 'int a(void) { int unused; return 0; }\n',
      });
      const joined = ['/bin/sh', '-c', '"$@" 2>&1', 'sh'];
      const build = async (through: readonly string[]) => {
        await rig.run(['make', 'clean']);
        const { stdout, stderr, report } = await rig.report(['make'], { through });
        assert.match(stdout + stderr, /unused variable/);
        return report.cached;
      };
      assert.is(await build([]), 0);
      assert.is(await build(joined), 2);
      assert.is(await build([]), 2);
    }));
});
