import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { projectStateDir } from '../../runtime/cache-dir.ts';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig, termiteProgram } from '../rigs/termite.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** As a makefile or a script calls it. */
const termite = `${process.execPath} ${termiteProgram}`;

function rigWith(files: Readonly<Record<string, string>>): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  const rig = new TermiteRig();
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(rig.project, name), text, { mode: 0o755 });
  return rig;
}

/** Sends trivial commands away as well: here they stand for any others. */
const echoRemote = { '.termite-localrc': '[{ "Regexp": "echo|false", "Local": false }]' };

/** Makefiles whose shells `termite make` replaces, and how many of their commands go to executors here. */
const makefiles: [name: string, text: string, remote: number][] = [
  [
    'options of the shell are kept',
    'SHELL = /bin/bash\n.SHELLFLAGS = -euo pipefail -c\nall: ; -false | true\n\t-echo $(words a b) $$missing\n\techo $(SHELL) >&2\n',
    3,
  ],
  ['a shell of one target', 'all: a b\na b: ; @echo $$0 $@\nb: SHELL = /bin/bash\n', 2],
  ['a shell that overrides the command line', 'override SHELL = /bin/bash\nall: ; @echo $$0\n', 1],
  ['a shell by a bare name', 'SHELL = bash\nall: ; @echo $$BASH_VERSION; ./missing || echo $$?\n', 1],
  ['a shell that is none', 'SHELL = /usr/bin/perl\n.SHELLFLAGS = -e\nall: ; @print "perl $$0\\n"\n', 0],
  ['one shell for all lines', 'SHELL = /bin/bash\n.ONESHELL:\nall:\n\t@a=(x y)\n\t-echo $${a[1]} $$0\n', 1],
  ['POSIX mode', '.POSIX:\nall: ; @false; echo unreached\n', 1],
  ['lines that need no shell', 'all: ; @expr 1 + 1\n\t@$(MAKE) -s sub\nsub: ; @expr 2 + 2\n', 2],
  ['the environment', 'all: ; @env | grep IFS || echo none\n', 1],
];

suite('termite build make', (test) => {
  for (const [name, text, remote] of makefiles) {
    test(`honours ${name}`, async () => {
      await using rig = rigWith({ ...echoRemote, Makefile: text });
      const plain = await rig.run(['make', '-j1']);
      const outcome = await rig.report(['build', 'make', '-j1']);
      assert.equal([outcome.status, outcome.stdout], [plain.status, plain.stdout], outcome.stderr);
      assert.is(outcome.stderr.replace(/^termite: .*\n/gm, ''), plain.stderr);
      assert.equal([outcome.report.remote, outcome.report.fallbacks], [remote, 0]);
    });
  }

  test('distributes with a SHELL of the user', async () => {
    await using rig = rigWith({ ...echoRemote, Makefile: 'all: ; @echo $$0 $$BASH\n' });
    const { stdout, report } = await rig.report(['build', 'make', 'SHELL=/bin/bash']);
    assert.equal([stdout, report.remote], ['/bin/bash /bin/bash\n', 1]);
  });
});

suite('termite build', (test) => {
  test("begins its master's log anew when that has become long", async () => {
    await using rig = rigWith({ Makefile: 'all: ; @true\n' });
    const dir = projectStateDir(rig.env, rig.project);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, 'master.log'), 'said long ago\n'.repeat(100_000));
    assert.is((await rig.termite(['make'])).status, 0);
    assert.not.match(readFileSync(join(dir, 'master.log'), 'utf8'), 'said long ago');
  });

  test('finds make below a script, and ends as the script does', async () => {
    await using rig = rigWith({
      Makefile: 'out: in\n\tcat in > out\n',
      in: 'x\n',
      'build.sh': '#!/bin/bash\nset -e\nmake -s "$@"\nmake -q\nexit 9\n',
    });
    const { status, report, stderr } = await rig.report(['build', './build.sh', 'out']);
    assert.equal([status, report.remote, report.local], [9, 1, 0], stderr);
    assert.is(readFileSync(join(rig.project, 'out'), 'utf8'), 'x\n');
  });

  test('shows jobs the real shells', async () => {
    await using rig = rigWith({ Makefile: 'all: ; @sha256sum /bin/sh /bin/bash; readlink /proc/$$$$/exe\n' });
    const plain = await rig.run(['make']);
    const { stdout, report } = await rig.report(['build', 'make']);
    assert.equal([stdout, report.remote], [plain.stdout, 1]);
  });

  for (const argv of [['make'], ['build', 'make'], ['build', ...termite.split(' '), 'make']]) {
    test(`runs a local command once, in the real shell: ${argv.at(-2) === termiteProgram ? 'make in build' : argv.join(' ')}`, async () => {
      await using rig = rigWith({
        Makefile: 'all: ; @echo $$0; readlink /proc/$$$$/exe; echo ran >> times\n',
        '.termite-localrc': '[{ "Regexp": "times", "Local": true, "Recurse": true }]',
      });
      const { stdout, report } = await rig.report(argv);
      assert.match(stdout, /^\/bin\/sh\n.*\/\w+\n$/);
      assert.is(readFileSync(join(rig.project, 'times'), 'utf8'), 'ran\n');
      assert.equal(report.localByReason, argv.at(-2) === termiteProgram ? {} : { rule: 1 });
    });
  }

  test('joins the build around it', async () => {
    await using rig = rigWith({
      Makefile: `all:\n\t${termite} build make inner\ninner: ; expr 1 + 1 > inner\n`,
      '.termite-localrc': '[{ "Regexp": "main.js", "Local": true, "Recurse": true }]',
    });
    for (const argv of [['make'], ['build', 'make']]) {
      const { status, stderr } = await rig.report([...argv, '-B']);
      assert.is(status, 0, stderr);
      assert.is(stderr.split(/1 command in .*: 1 (?:remote|from cache)/).length, 2, stderr);
    }
  });

  test('starts no master from inside a build, where make goes on without', async () => {
    const script = `mkdir -p other; cd other; echo 'all: ; @echo made' > Makefile\n${termite} make --root .\n`;
    await using rig = rigWith({ 'other.sh': script });
    const { status, stdout, stderr } = await rig.termite(['build', 'sh', './other.sh']);
    assert.equal([status, stdout], [0, 'made\n'], stderr);
    assert.match(stderr, /No master runs for ".*\/other", and none can be started from inside a build/);
  });

  test('says which program is missing', async () => {
    await using rig = rigWith({});
    const { status, stderr } = await rig.termite(['build', 'no-such-tool']);
    assert.equal([status, stderr], [127, 'termite: exec "no-such-tool": No such file or directory\n']);
  });

  test('passes SIGTERM to the tool and ends as it does', async () => {
    await using rig = rigWith({ Makefile: 'never: ; sleep 1000; touch never\n' });
    let child: ChildProcess | undefined;
    const build = rig.termite(['build', 'make'], { started: (started) => (child = started) });
    await rig.findProcess(/^sleep 1000/);
    child?.kill('SIGTERM');
    assert.is((await build).status, 'SIGTERM');
    assert.not(existsSync(join(rig.project, 'never')));
  });
});
