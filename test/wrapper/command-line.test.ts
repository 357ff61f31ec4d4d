import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** A project with that makefile, or a skip where nothing can be run. */
function rigWith(makefile: string, { needsSandbox = true, below = tmpdir() } = {}): TermiteRig {
  const obstacle = needsSandbox ? sandboxObstacle() : undefined;
  if (obstacle) skip(obstacle, 'fuse');
  const rig = new TermiteRig('root', { below });
  writeFileSync(join(rig.project, 'Makefile'), makefile);
  return rig;
}

/** Waits until there is a process in this rig whose command line has these words. */
async function processOf(rig: TermiteRig, words: RegExp): Promise<number> {
  for (;;) {
    const pid = findProcess(rig, words);
    if (pid !== undefined) return pid;
    await sleep(20);
  }
}

function findProcess(rig: TermiteRig, words: RegExp): number | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      if (environment.includes(`XDG_CACHE_HOME=${rig.env['XDG_CACHE_HOME']}`) && words.test(line))
        return Number(pid);
    } catch {
      // Ended meanwhile.
    }
  }
  return undefined;
}

const slow = 'never: ; sleep 1000; touch never\n';

suite('termite', (test) => {
  const wrong: [args: string[], words: RegExp][] = [
    [[], /A command is missing/],
    [['dance'], /Unknown command "dance"/],
    [['constructor'], /Unknown command/],
    [['status', '--all'], /does not know "--all"/],
    [['status'], /No master runs for/],
    [['stop'], /No master runs for/],
    [['master', '--colour', 'red'], /"--colour"/],
    [['master', '--slots', 'many'], /slots/],
    [['master', '--root', '/no/such/folder'], /No such folder/],
    [['make', '--root', '/no/such/folder'], /No such folder/],
    [['make', '--root'], /--root needs a value/],
    [['make', '--verify=most'], /--verify needs a percentage: "most" is none/],
    [['run', '--verify=101', 'true'], /--verify needs a percentage/],
    [['run', '--twice', '--verify', 'true'], /exclude each other/],
    [['run'], /a command is missing/],
    [['build'], /a command is missing/],
    [['masquerade', 'bin'], /a name is missing/],
    [['cache'], /An action is missing/],
    [['cache', 'dance'], /Unknown action "dance"/],
    [['cache', 'constructor'], /Unknown action/],
    [['cache', 'gc', '--size', '20X'], /Not a size: "20X"/],
    [['cache', 'gc', '--size', '9999999999T'], /Not a size/],
    [['cache', 'gc', '--size'], /--size needs a value/],
    [['cache', 'stats', '--size', '1G'], /"stats" does not know "--size"/],
    [['cache', 'clear', 'everything'], /"clear" does not know "everything"/],
    [['master', '--cache-size-mib', '0'], /cacheSizeMib/],
    [['executor', '--cache-size-mib', 'all'], /cacheSizeMib/],
    [['mak'], /Unknown command "mak"\n {2}Did you mean "termite make"\?/],
    [['help', 'staus'], /Did you mean "termite status"\?/],
    [['log', '--jsn'], /"termite log" does not know "--jsn"\n {2}Did you mean "--json"\?/],
    [['log', 'a'], /does not know "a"/],
    [['why', 'a.o', 'b.o'], /does not know "b\.o"/],
    [['why', '--sumary'], /Did you mean "--summary"\?/],
    [['status', '--verbose'], /"termite status" does not know "--verbose"/],
    [['make', '--quite'], /make has no "--quite": did you mean "--quiet"\?/],
    [['make', 'all', '--verify=5'], /Termite's flags come first: "--verify"/],
    [['make', '-k', '--root', '.'], /Termite's flags come first: "--root"/],
  ];
  for (const [args, words] of wrong) {
    test(`refuses "${args.join(' ')}" with one clear message`, async () => {
      await using rig = rigWith('', { needsSandbox: false });
      const { status, stdout, stderr } = await rig.termite(args);
      assert.is(status, 125);
      assert.is(stdout, '');
      assert.match(stderr, words);
      assert.match(stderr, /^termite: [^\n]+\n( {2}[^\n]+\n)?$/);
    });
  }

  test('builds without a cache whose size is none, also from the environment', async () => {
    await using rig = rigWith('all: ; touch x\n', { needsSandbox: false });
    const { status, stderr } = await rig.termite(['make'], {
      env: { ...rig.env, TERMITE_CACHE_MIB: '1G' },
    });
    assert.is(status, 0);
    assert.match(
      stderr,
      /^termite: building without Termite: [^\n]*the environment: TERMITE_CACHE_MIB: [^\n]*"1G"[^\n]*\n$/,
    );
  });

  test('prints help and version', async () => {
    await using rig = rigWith('', { needsSandbox: false });
    const commands = ['make', 'build', 'run', 'master', 'status', 'stop', 'log', 'why', 'rules'];
    const asked = [
      ...commands.map((name) => [name, '--help']),
      ['cache', 'stats', '--help'],
      ['help', 'make'],
    ];
    for (const args of [['--help'], ['help'], ...asked]) {
      const { status, stdout } = await rig.termite(args);
      assert.is(status, 0);
      assert.match(stdout, /^termite /);
    }
    for (const name of ['--version', '-V', 'version'])
      assert.match((await rig.termite([name])).stdout, /^termite \d+\.\d+\.\d+\n$/);
  });
});

suite('termite ninja and cmake', (test) => {
  /** A project where these programs only tell how they were called. */
  function rigTelling(...names: string[]): TermiteRig {
    const rig = rigWith('', { needsSandbox: false });
    const tell = '#!/bin/sh\necho "\u0024{0##*/}" "$@" $TERMITE_STAGED $CMAKE_BUILD_PARALLEL_LEVEL\n';
    for (const name of names) writeFileSync(join(rig.base, name), tell, { mode: 0o755 });
    rig.env['PATH'] = `${rig.base}:/bin`;
    return rig;
  }
  const slots = availableParallelism();
  const calls: [args: string, told: string][] = [
    ['ninja a', `ninja -j${slots} a 1`],
    ['ninja -C . -j3', 'ninja -C . -j3 1'],
    ['ninja --quiet -t clean', 'ninja -t clean'],
    ['ninja --version', 'ninja --version'],
    ['cmake --build . -v', `cmake --build . -v 1 ${slots}`],
    ['cmake -G Ninja .', 'cmake -G Ninja .'],
  ];
  for (const [args, told] of calls) {
    test(`calls "${told}" for "${args}"`, async () => {
      await using rig = rigTelling('ninja', 'cmake');
      const { status, stdout, stderr } = await rig.termite(args.split(' '));
      assert.equal([status, stdout], [0, `${told}\n`], stderr);
    });
  }

  test('takes what there is in the place of ninja', async () => {
    await using rig = rigTelling('samu');
    rig.env['PATH'] = rig.base;
    assert.is((await rig.termite(['ninja', '--version'])).stdout, 'samu --version\n');
  });
});

suite('termite make', (test) => {
  test('ends as make does, reports, and leaves nothing behind', async () => {
    await using rig = rigWith('all: b\na: ; sed s/a/b/ Makefile > $@\nb: a ; gcc -c -o $@ missing.c\n');
    const { status, stderr, report } = await rig.report(['make', '-j2']);
    assert.is(status, 2);
    assert.match(stderr, /Error 1\n/);
    assert.match(
      stderr,
      /\ntermite: 2 commands in [\d.]+ s(?:, [\d.]+ s of it starting)?: 2 remote, 1 failed\n$/,
    );
    assert.equal([report.commands, report.failed], [2, 1]);
    assert.equal(readdirSync(rig.project).sort(), ['Makefile', 'a']);
  });

  test('says nothing with --quiet', async () => {
    await using rig = rigWith('all: ; touch x\n');
    assert.is((await rig.termite(['make', '--quiet'])).stderr, '');
  });

  test('starts one job per slot unless told', async () => {
    await using rig = rigWith('all: ; @expr "$(MAKEFLAGS)" : "[s ]*\\(-j[0-9]*\\)"\n');
    assert.match((await rig.termite(['make'])).stdout, /^-j\d+\n$/);
    assert.is((await rig.termite(['make', '-sj3'])).stdout, '-j3\n');
  });

  test('does not distribute with a SHELL of the user, and says so', async () => {
    await using rig = rigWith('all: ; @echo $$0 $$BASH\n');
    const { stdout, stderr } = await rig.termite(['make', 'SHELL=/bin/bash']);
    assert.is(stdout, '/bin/bash /bin/bash\n');
    assert.match(stderr, /nothing will be distributed/);
  });

  test('gives recipes that name $(SHELL) the real one', async () => {
    await using rig = rigWith(
      'SHELL = /bin/bash\nall: ; @echo "#!$(SHELL)"; $(SHELL) -c "printf %s $$BASH"\n',
    );
    assert.is((await rig.termite(['make'])).stdout, '#!/bin/bash\n/bin/bash');
    writeFileSync(join(rig.project, 'Makefile'), 'all:\n\t@echo $(SHELL)\n\t@printf "%s\\n" "$(SHELL)"\n');
    assert.is((await rig.termite(['make'])).stdout, '/bin/sh\n/bin/sh\n');
  });

  test('joins a master that runs, from below its root too, and leaves it running', async () => {
    await using rig = rigWith('all: ; touch made\n');
    {
      await using master = await rig.daemon(['master'], /ready/);
      const { status, stdout } = await rig.termite(['status']);
      assert.is(status, 0);
      assert.match(
        stdout,
        new RegExp(
          `^master +\\d+\nroot +${rig.project} .*\nbuilds +0\nexecutor +.*: 0 of \\d+ slots taken\n$`,
        ),
      );
      await rig.run(['mkdir', 'sub']);
      writeFileSync(join(rig.project, 'sub/Makefile'), 'all: ; cat Makefile > ../above\n');
      const { report } = await rig.report(['make'], { cwd: join(rig.project, 'sub') });
      assert.equal([report.remote, report.local], [1, 0]);
      assert.ok(existsSync(join(rig.project, 'above')));
      const second = await rig.termite(['master']);
      assert.is(second.status, 125);
      assert.match(second.stderr, /already running/);
      assert.is((await rig.termite(['stop'])).status, 0);
      await master.end();
      assert.is(master.child.exitCode, 0);
    }
    assert.not(existsSync(rig.socketPath));
  });

  test('builds the same project twice at once', async () => {
    await using rig = rigWith('%.out: ; sleep 0.1; echo $@ > $@\n');
    const builds = await Promise.all(['a.out', 'b.out', 'c.out'].map((goal) => rig.report(['make', goal])));
    assert.equal(
      builds.map(({ status, report }) => [status, report.remote]),
      Array(3).fill([0, 1]),
    );
  });

  test('stops with 125 when the rules are wrong', async () => {
    await using rig = rigWith('all: ; touch x\n');
    writeFileSync(join(rig.project, '.termite-localrc'), '[{"Regexp": "x",\n"Lokal": true}]');
    const { status, stderr } = await rig.termite(['make']);
    assert.is(status, 125);
    assert.match(
      stderr,
      /^termite: Cannot use ".*\.termite-localrc", line 2: "Lokal": Unknown key: did you mean "Local"\?\n$/,
    );
    assert.not(existsSync(join(rig.project, 'x')));
  });

  test('stops with 125 when the rules become wrong', async () => {
    await using rig = rigWith('all: b\na: ; echo [ > .termite-localrc\nb: a ; date > x\n');
    const { status, stderr } = await rig.termite(['make']);
    assert.is(status, 125);
    assert.match(stderr, /termite-localrc", line \d/);
    assert.not(existsSync(join(rig.project, 'x')));
  });
});

suite('termite make, when something dies', (test) => {
  const signals: [name: string, signal: NodeJS.Signals, toGroup: boolean][] = [
    ['Ctrl-C', 'SIGINT', true],
    ['SIGTERM', 'SIGTERM', false],
    ['a terminal that hangs up', 'SIGHUP', true],
  ];
  for (const [name, signal, toGroup] of signals) {
    test(`by ${name} dies of the same, with everything`, async () => {
      await using rig = rigWith(slow);
      // A group of its own, which exec keeps: the process that is waited for is the program itself.
      const build = rig.termite(['make', '-j2'], { through: ['setsid', 'setpriv', '--pdeathsig', 'clear'] });
      await processOf(rig, /^sleep 1000/);
      const wrapper = await processOf(rig, /node .*main\.js make/);
      process.kill(toGroup ? -wrapper : wrapper, signal);
      assert.is((await build).status, signal);
      assert.not(existsSync(join(rig.project, 'never')));
      assert.not(existsSync(rig.socketPath));
    });
  }

  test('kills the commands of a make that was killed', async () => {
    await using rig = rigWith(slow);
    const build = rig.termite(['make', '-j2']);
    await processOf(rig, /^sleep 1000/);
    process.kill(await processOf(rig, /^make /), 'SIGKILL');
    assert.is((await build).status, 'SIGKILL');
    assert.equal(await rig.processesLeft(), []);
  });

  test('goes on locally when the master is killed', async () => {
    await using rig = rigWith('late: ; test -e gate || sleep 1000.5; touch late\n');
    const build = rig.termite(['make', '-j2']);
    await processOf(rig, /^sleep 1000\.5/);
    writeFileSync(join(rig.project, 'gate'), '');
    process.kill(await processOf(rig, /main\.js master/), 'SIGKILL');
    const { status, stderr } = await build;
    assert.is(status, 0, stderr);
    assert.match(stderr, /master is gone: running locally/);
    assert.ok(existsSync(join(rig.project, 'late')));
    // The dead master's socket is there still; the next build is not disturbed by it.
    assert.is((await rig.report(['make', '-B'])).report.remote, 1);
  });
});

suite('termite run', (test) => {
  const ends: [argv: string[], status: number | string][] = [
    [['true'], 0],
    [['sh', '-c', 'exit 7'], 7],
    [['sh', '-c', 'kill -SEGV $$'], 'SIGSEGV'],
    [['no-such-program'], 127],
    [['./Makefile'], 126],
    [['--', 'true'], 0],
  ];
  for (const [argv, status] of ends) {
    test(`ends as ${argv.join(' ')} does`, async () => {
      await using rig = rigWith('');
      assert.is((await rig.termite(['run', ...argv])).status, status);
    });
  }

  test('runs a program in the project, with input and output', async () => {
    await using rig = rigWith('');
    const input = 'x'.repeat(300_000);
    const outcome = await rig.report(['run', 'tee', 'copy'], { input });
    assert.is(outcome.stdout, input);
    assert.is(readFileSync(join(rig.project, 'copy'), 'utf8'), input);
    assert.is(outcome.report.remote, 1);
  });

  test('runs locally what has to write elsewhere, and says so', async () => {
    if (import.meta.dirname.startsWith(tmpdir())) skip('in a sandbox the temporary folder can be written');
    await using rig = rigWith('', { below: import.meta.dirname });
    const file = join(rig.base, 'outside');
    const { status, stderr } = await rig.termite(['run', 'mkdir', file]);
    assert.is(status, 0, stderr);
    assert.match(stderr, /running locally: .*outside the project/);
    assert.ok(existsSync(file));
  });

  test('cancels the program on SIGTERM, of which it dies', async () => {
    await using rig = rigWith('');
    let child: ChildProcess | undefined;
    const running = rig.termite(['run', 'sleep', '1000'], { started: (started) => (child = started) });
    await processOf(rig, /^sleep 1000/);
    child?.kill('SIGTERM');
    assert.is((await running).status, 'SIGTERM');
  });
});
