import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Report } from '../../protocol/control.ts';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, needPrograms, sandboxObstacle, type User } from '../rigs/user.ts';

/** A make that a script, a test or a package manager starts for itself, in a folder that it has made for it. */
const ownMake = `#!/bin/sh
dir=$(mktemp -d)
printf 'all: x\\n\\t@cat x; echo "$$SHELL|$(SHELL)|$(filter SHELL%% IFS%%,$(MAKEFLAGS))"\\nx: ; @pwd >$@\\n' >$dir/Makefile
cd "\${1:-$dir}" && make -s -f $dir/Makefile
rm -f x
`;

class Rig extends TermiteRig {
  constructor(user: User) {
    super(user);
    this.env['SHELL'] = '/bin/mine';
    // What the scripts leave goes with the rig, which is below the machine's /tmp as well.
    this.env['TMPDIR'] = this.env['HOME'];
  }

  write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(this.project, name), text, { mode: 0o755 });
    this.give(this.project);
  }

  /** Builds with plain make and with us, whose stdout and stderr have to be the same. */
  async compare(command: 'make' | 'build'): Promise<Report> {
    const plain = await this.run(['make', '-sj2']);
    await this.run(['make', '-sj2', 'clean']);
    const words = command === 'make' ? ['make', '-sj2'] : ['build', 'make', '-sj2'];
    const ours = await this.report(words);
    const ofOurs = (text: string) => text.replaceAll(/^termite: .*\n/gm, '');
    const masked = (text: string) => text.replaceAll(/\/tmp\.\w+|make\[\d+\]/g, '…');
    assert.is(ours.status, plain.status, ours.stdout + ours.stderr);
    assert.is(masked(ours.stdout), masked(plain.stdout), ours.stderr);
    assert.is(masked(ofOurs(ours.stderr)), masked(plain.stderr));
    return ours.report;
  }
}

function newRig(user: User): Rig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  return new Rig(user);
}

const clean = '\nclean: ; rm -f out lto\n';

for (const user of availableUsers()) {
  for (const command of ['make', 'build'] as const) {
    suite(`What a local command starts below termite ${command} as ${user} user`, (test) => {
      test('has the shell and the /tmp of the machine, be its make in the project or not', async () => {
        await using rig = newRig(user);
        rig.write({ 'own-make': ownMake, Makefile: `all:\n\t+./own-make\n\t+./own-make .\n${clean}` });
        const report = await rig.compare(command);
        assert.equal([report.commands, report.localByReason['recursive']], [2, 2]);
      });

      test('is found in no MAKEFLAGS, and has the tokens of make', async () => {
        await using rig = newRig(user);
        needPrograms('gcc');
        rig.write({
          'a.c': 'int b(void); int main(void) { return b(); }\n',
          'b.c': 'int b(void) { return 3; }\n',
          Makefile: `all: lto\n\t./lto; test $$? = 3\nlto: a.c b.c\n\t+gcc -O2 -flto=jobserver -o $@ a.c b.c\n${clean}`,
        });
        const report = await rig.compare(command);
        assert.is(report.localByReason['recursive'], 1);
      });

      test('and what runs here only after a sandbox would not do', async () => {
        await using rig = newRig(user);
        // It leaves its folder behind.
        rig.write({ 'own-make': ownMake, Makefile: `all: ; ./own-make\n${clean}` });
        const report = await rig.compare(command);
        assert.equal([report.commands, report.local], [1, 1]);
      });

      test('and of a script of CMake', async () => {
        await using rig = newRig(user);
        needPrograms('cmake');
        rig.write({
          'own-make': ownMake,
          'x.cmake': 'execute_process(COMMAND ./own-make .)\n',
          Makefile: `all: ; cmake -P x.cmake\n${clean}`,
        });
        assert.is((await rig.compare(command)).commands, 1);
      });
    });
  }

  suite(`A make below termite make as ${user} user`, (test) => {
    test('still takes part in the build', async () => {
      await using rig = newRig(user);
      rig.write({
        Makefile: `all: ; +env A=1 $(MAKE) -f Makefile out\nout: ; sed s/a/b/ Makefile > $@\n${clean}`,
      });
      const report = await rig.compare('make');
      assert.equal([report.remote, report.local], [1, 1]);
    });

    test('gives commands its caller’s $SHELL, and the real name of its own', async () => {
      await using rig = newRig(user);
      rig.write({
        Makefile: `all:\n\t@sed "s|^|$$SHELL $(SHELL) |;1q" Makefile\n\t+@sed "s|^|$$SHELL $(SHELL) |;1q" Makefile\n${clean}`,
      });
      const report = await rig.compare('make');
      assert.equal([report.remote, report.local], [1, 1]);
    });
  });
}
