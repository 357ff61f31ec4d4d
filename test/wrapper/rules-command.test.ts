import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';

const rules = `# what must stay here
[
  { "Regexp": "git describe", "Local": true, "Reason": "it needs .git" },
  { "Regexp": "^ld ", "Slots": 2, "Timeout": 60, "Cache": "failures" },
  { "Regexp": "git|ld", "Network": true, "Stdin": "empty",
    "Env": { "Ignore": ["CI_*"], "Count": ["TERM"], "Unset": ["LANG"], "Set": { "LC_ALL": "C" } } }
]
`;

function rigWith(text: string): TermiteRig {
  const rig = new TermiteRig();
  writeFileSync(join(rig.project, '.termite-localrc'), text);
  return rig;
}

suite('termite rules', (test) => {
  const takesPart = 'locally, and what it starts takes part in the build';
  const alone = 'locally';

  test('lists all rules in the order in which they are asked', async () => {
    await using rig = rigWith(rules);
    const { status, stdout } = await rig.termite(['rules']);
    assert.is(status, 0);
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
    assert.equal(rows, [
      ['built in', 'outside of the project', alone],
      ['line 3', 'git describe', 'locally (it needs .git)'],
      [
        ...['line 4', '^ld'],
        'where it would run anyway; result kept: also when it fails; timeout: after 60 s it is run locally; slots: 2',
      ],
      [
        ...['line 5', 'git|ld'],
        'where it would run anyway; result kept: never; network: that of the executor; stdin: empty; variables: CI_* does not count, TERM counts, without LANG, LC_ALL=C',
      ],
      ['built in', '$(MAKE) in the makefile', takesPart],
      ['built in', '"+" in the makefile', alone],
      ['built in', 'make, gmake, termite', takesPart],
      ['built in', 'cmake --build, ninja, samu, meson compile', takesPart],
      ['built in', 'cmake -P, cmake -S, ctest, meson', alone],
      ['built in', 'nothing but cmake -E, chmod, cp, install, ln, mkdir, mv, rm, rmdir, test, touch', alone],
      ['built in', 'flock, lockfile, dotlockfile, lockfile-create, setlock, lckdo', alone],
      [
        'built in',
        'fakeroot, fakechroot, pseudo, sudo, doas, su, pkexec, chroot, unshare, nsenter, mount, umount, losetup, mknod, setcap, bwrap, docker, podman, systemd-nspawn, mmdebstrap, df, du',
        alone,
      ],
      ['built in', 'what is started with "&" and not waited for', alone],
      ['built in', 'everything else', 'on an executor'],
      [''],
    ]);
  });

  const decisions: [cmd: string[], lines: string[]][] = [
    [
      ['git', 'describe', '--tags'],
      [
        'runs       locally',
        'because    RC, line 3: git describe',
        'reason     it needs .git',
        'not asked  line 5, which would match too',
      ],
    ],
    [
      ['ld -r a.o; make'],
      [
        `runs       ${takesPart}`,
        'because    built in: a make takes part in the build by itself',
        'and how    RC, line 4: ^ld ',
        'not asked  line 5, which would match too',
      ],
    ],
    [
      ['ld -r a.o'],
      [
        'runs         on an executor',
        'because      RC, line 4: ^ld ',
        'not asked    line 5, which would match too',
        'result kept  also when it fails',
        'timeout      after 60 s it is run locally',
        'slots        2',
      ],
    ],
    [
      ['--', 'cc', '-c', 'x.c'],
      ['runs         on an executor', 'because      no rule says otherwise', 'result kept  unless it fails'],
    ],
    [
      ['make -C git'],
      [
        `runs       ${takesPart}`,
        'because    built in: a make takes part in the build by itself',
        'and how    RC, line 5: git|ld',
        'stdin      empty',
        'variables  CI_* does not count, TERM counts, without LANG, LC_ALL=C',
      ],
    ],
    [
      ['mkdir -p x && rm -f y'],
      [`runs     ${alone}`, 'because  built in: it takes less time than a sandbox takes to start'],
    ],
    [['./server &'], [`runs     ${alone}`, 'because  built in: it leaves something running']],
    [
      ['cd x && make all'],
      [`runs     ${takesPart}`, 'because  built in: a make takes part in the build by itself'],
    ],
  ];
  for (const [cmd, lines] of decisions) {
    test(`tells of "${cmd.join(' ')}" where it runs and why`, async () => {
      await using rig = rigWith(rules);
      const { stdout } = await rig.termite(['rules', ...cmd]);
      const expected = lines.map((line) =>
        line.replace('RC', join(rig.project, '.termite-localrc')).trimEnd(),
      );
      assert.equal(stdout.trimEnd().split('\n'), expected);
    });
  }

  test('knows that nothing outside of the project is asked for', async () => {
    await using rig = rigWith(rules);
    const { stdout } = await rig.termite(['rules', '--root', rig.project, 'ld x'], { cwd: rig.base });
    assert.match(stdout, /^runs .*locally.*\nbecause .*outside of the project\nnot asked .*line 4, 5/);
    mkdirSync(join(rig.project, 'sub'));
    const below = await rig.termite(['rules', '--root', rig.project, 'cc x'], {
      cwd: join(rig.project, 'sub'),
    });
    assert.match(below.stdout, /^runs +on an executor\n/);
  });

  test('works without any rules, and refuses wrong ones', async () => {
    await using rig = rigWith('[]');
    assert.is((await rig.termite(['rules'])).stdout.split('\n').length, 12);
    writeFileSync(join(rig.project, '.termite-localrc'), '[\n{"Regexp": "a", "Slots": 0}]');
    const { status, stdout, stderr } = await rig.termite(['rules', 'a']);
    assert.equal([status, stdout], [125, '']);
    assert.match(stderr, /\.termite-localrc", line 2: "Slots": /);
  });
});
