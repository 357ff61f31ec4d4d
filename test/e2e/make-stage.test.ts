import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig, termiteProgram } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle, type User, withoutNamespaces } from '../rigs/user.ts';

function rigWith(user: User, files: Readonly<Record<string, string>>): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  const rig = new TermiteRig(user);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(rig.project, name)), { recursive: true });
    writeFileSync(join(rig.project, name), text);
  }
  rig.give(rig.project);
  return rig;
}

/** Says where its SHELL comes from: "command line" where it is ours, "file" or "default" on a stage. */
const origin = '$(info $(origin SHELL))\nall: ; @expr 1\n';
const bash = 'SHELL = /bin/bash\n';

/** Projects in which every make can be given our shell. */
const plain: [title: string, files: Record<string, string>][] = [
  ['no SHELL', { Makefile: origin }],
  ['/bin/sh everywhere', { Makefile: `SHELL = /bin/sh\n${origin}`, 'sub/Makefile': 'SHELL = /bin/sh\n' }],
  ['bash everywhere', { Makefile: `${bash}${origin}`, 'a/Makefile': bash, 'a/b/Makefile': bash, 'x.mk': '' }],
  ['another shell below', { Makefile: origin, 'sub/Makefile': bash }],
  ['other flags', { Makefile: `${bash}.SHELLFLAGS = -eu -o pipefail -c\n${origin}` }],
];

/** And in which not. */
const staged: [title: string, files: Record<string, string>][] = [
  ['a shell of one target', { Makefile: `${origin}one: ${bash}` }],
  ['an override', { Makefile: `override ${bash}${origin}` }],
  ['a bare name', { Makefile: `SHELL = bash\n${origin}` }],
  ['another shell of a target below', { Makefile: origin, 'sub/Makefile': `x: ${bash}` }],
];

for (const user of availableUsers()) {
  suite(`termite make and SHELL, as ${user} user`, (test) => {
    for (const [title, files] of plain)
      test(`gives make our shell: ${title}`, async () => {
        await using rig = rigWith(user, files);
        const { stdout, stderr, report } = await rig.report(['make']);
        assert.equal([stdout, report.remote], ['command line\n1\n', 1], stderr);
      });

    test('gives the make of each folder its own shell', async () => {
      const tell = `@expr "$@ $\${BASH:-other} $(shell echo $$BASH)" : '\\(.*\\)'; : remote\n`;
      const all = (more = '') => `all: ; ${tell}${more}`;
      await using rig = rigWith(user, {
        Makefile: `${all('\t@cd po && $(MAKE)\n\t@$(MAKE) -C "b c" here\n\t@$(MAKE) -C link\n')}`,
        'po/Makefile': `${bash}${all('\t@cd ../plain && $(MAKE) && $(SHELL) ./script\n')}`,
        'plain/Makefile': all(),
        'plain/script': 'echo script $BASH\n',
        'b c/Makefile': `${bash}here: ; ${tell}`,
        'deep/er/Makefile': `${bash}${all()}`,
      });
      symlinkSync('deep/er', join(rig.project, 'link'));
      const words = ['make', '-s', '-j1'];
      const expected = await rig.run(words);
      assert.match(expected.stdout, 'other');
      assert.match(expected.stdout, '/bin/bash');
      const { stdout, stderr, report } = await rig.report(words);
      assert.is(stdout, expected.stdout, stderr);
      assert.equal([report.remote, report.fallbacks], [5, 0], stderr);
      // Also when its own folder is reached by a symlink.
      symlinkSync('.', join(rig.project, 'self'));
      assert.is((await rig.report([...words, '-C', 'self'])).stdout, expected.stdout);
    });

    for (const [title, files] of staged)
      test(`leaves make its own on a stage: ${title}`, async () => {
        await using rig = rigWith(user, files);
        const { stdout } = await rig.run(['make']);
        const outcome = await rig.report(['make']);
        assert.is(outcome.stdout, stdout);
        assert.not.match(stdout, 'command line');
        assert.match(outcome.stderr, /^termite: 1 command in .*: 1 remote\n$/);
        assert.equal([outcome.report.remote, outcome.report.fallbacks], [1, 0]);
      });

    test('knows on a stage what was run without one', async () => {
      await using rig = rigWith(user, { Makefile: 'out: in ; sort in > out\n', in: 'b\na\n' });
      const cached: number[] = [];
      for (const words of [['make'], ['build', 'make'], ['make']]) {
        const { report, stderr } = await rig.report(words);
        assert.is(report.commands, 1, stderr);
        cached.push(report.cached);
        rmSync(join(rig.project, 'out'));
      }
      assert.equal(cached, [0, 1, 1]);
    });

    test('takes the word of $TERMITE_SHELL', async () => {
      await using rig = rigWith(user, {
        Makefile: `$(info $(origin SHELL))\nall: SHELL = sh\nall: ; @expr $$BASH : '\\(.*\\)'\n`,
      });
      const env = { ...rig.env, TERMITE_SHELL: '/bin/bash' };
      const { stdout, report } = await rig.report(['make', '-s'], { env });
      assert.equal([stdout, report.remote], ['command line\n/bin/bash\n', 1]);
    });

    test('does what it can where there can be no stage, and says so once', async () => {
      await using rig = rigWith(user, {
        Makefile: `${origin}\t@$(MAKE) --no-print-directory -C sub\n`,
        'sub/Makefile': `all: ; @expr $\${BASH:-other} : '\\(.*\\)'\nall: ${bash}`,
        'override.txt': `override ${bash}all: ; @expr $$BASH : '\\(.*\\)'\n`,
      });
      await using _master = await rig.daemon(['master'], /ready/);
      const reason = 'no mount namespace: .*user\\.max_user_namespaces.*';

      const outcome = await rig.report(['make'], { through: withoutNamespaces });
      assert.equal([outcome.status, outcome.stdout], [0, 'command line\n1\nother\n'], outcome.stderr);
      assert.equal([outcome.report.remote, outcome.report.fallbacks], [2, 0]);
      const notice = `cannot follow "sub/Makefile", line 2: "all: SHELL = /bin/bash": ${reason}`;
      assert.match(outcome.stderr, new RegExp(`^termite: ${notice}\ntermite: 3 commands .*\n$`));

      const overridden = await rig.report(['make', '-f', 'override.txt', '-s'], {
        through: withoutNamespaces,
      });
      assert.equal([overridden.stdout, overridden.report.commands], ['/bin/bash\n', 0], overridden.stderr);
      assert.match(
        overridden.stderr,
        new RegExp(`^termite: cannot follow "override.txt", line 1: .*: ${reason}\n$`),
      );
    });

    test('is on a stage within a build that is not, and the other way round', async () => {
      const termite = `${process.execPath} ${termiteProgram}`;
      const tell = `@expr "$@ $\${BASH:-other}" : '\\(.*\\)'`;
      await using rig = rigWith(user, {
        // Neither has a name by which it would be found.
        'plain.txt': `all: ; ${tell}\n\t@+TOOL --no-print-directory -f inner.txt 2>&1\n`,
        'inner.txt': `all: one\none: ${bash}one all: ; ${tell}\n`,
        'staged.txt': `all: ${bash}all: ; ${tell}\n\t@+TOOL --no-print-directory -f last.txt 2>&1\n`,
        'last.txt': `all: ; ${tell}\n`,
        '.termite-localrc': '[{ "Regexp": "main.js", "Local": true, "Recurse": true }]',
      });
      for (const file of ['plain.txt', 'staged.txt']) {
        const text = `sed -i.orig 's,TOOL,${termite} make --quiet,' ${file}`;
        const outer = await rig.run(['sh', '-c', `sed 's,TOOL,$(MAKE),' ${file} | make -f -`]);
        assert.is((await rig.run(['sh', '-c', text])).status, 0);
        const { stdout, report, stderr } = await rig.report(['make', '-f', file]);
        assert.is(stdout, outer.stdout, stderr);
        assert.equal([report.remote, report.fallbacks], [1, 0], stderr);
      }
    });

    test('passes SIGTERM to a make on a stage and ends as it does', async () => {
      await using rig = rigWith(user, {
        Makefile: 'never: SHELL = bash\nnever: ; touch never; sleep 1000\n',
      });
      let child: ChildProcess | undefined;
      // The process that is started becomes the program itself.
      const build = rig.termite(['make'], { started: (started) => (child = started) });
      await rig.findProcess(/^sleep 1000/);
      child?.kill('SIGTERM');
      assert.is((await build).status, 'SIGTERM');
      assert.not(existsSync(join(rig.project, 'never')));
    });
  });
}

suite('termite make and SHELL', (test) => {
  test('distributes nothing with a SHELL of the user, on no stage either', async () => {
    await using rig = rigWith('root', { Makefile: `${origin}all: SHELL = sh\n` });
    const { stdout, stderr, report } = await rig.report(['make', 'SHELL=/bin/bash']);
    assert.equal([stdout, report.commands], ['command line\n1\n', 0]);
    assert.is(stderr, 'termite: nothing will be distributed: SHELL is given on the command line\n');
  });
});
