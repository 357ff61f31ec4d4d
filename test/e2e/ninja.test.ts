import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { type TermiteOptions, TermiteRig } from '../rigs/termite.ts';
import { toolDir } from '../rigs/tools.ts';
import { needPrograms, sandboxObstacle } from '../rigs/user.ts';

/** Programs that read build.ninja. */
const tools: [title: string, find: () => string][] = [
  ['ninja', findNinja],
  ['ninja 1.13', () => join(toolDir('ninja-1.13'), 'ninja')],
];

function findNinja(): string {
  needPrograms('ninja');
  return 'ninja';
}

/** A project for one of them. */
class NinjaRig extends TermiteRig {
  readonly #tool: string;

  constructor(findTool: () => string, files: Readonly<Record<string, string>>) {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    const tool = findTool();
    super();
    this.#tool = tool;
    for (const [file, text] of Object.entries(files)) this.write(file, text);
  }

  build(options: TermiteOptions = {}, args: readonly string[] = []) {
    return this.report(['build', this.#tool, '-v', ...args], options);
  }

  plainly(...args: string[]) {
    return this.run([this.#tool, ...args]);
  }

  /** Sends a signal to the tool alone, once what it has started sleeps. */
  async interrupt(signal: NodeJS.Signals): Promise<void> {
    await this.findProcess(/^sleep 1000/);
    const [pid] = await this.findProcess(/^\S*ninja /);
    process.kill(pid!, signal);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.project, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.project, name), 'utf8');
  }

  remove(name: string): void {
    rmSync(join(this.project, name));
  }

  has(name: string): boolean {
    return existsSync(join(this.project, name));
  }

  mtimeNs(name: string): bigint {
    return statSync(join(this.project, name), { bigint: true }).mtimeNs;
  }
}

const sleeping = { 'build.ninja': 'rule sleep\n  command = touch $out; sleep 1000\nbuild never: sleep\n' };

for (const [title, tool] of tools) {
  suite(`Below ${title}`, (test) => {
    test('a depfile is read and removed, and what it names is a dependency', async () => {
      await using rig = new NinjaRig(tool, {
        'build.ninja': [
          'rule cc',
          '  command = cc -MMD -MF $out.d -c $in -o $out',
          '  depfile = $out.d',
          '  deps = gcc',
          'build main.o: cc main.c',
          '',
        ].join('\n'),
        'main.c': '#include "main.h"\nint main(void) { return VALUE; }\n',
        'main.h': '#define VALUE 0\n',
      });
      assert.is((await rig.build()).report.remote, 1);
      assert.not(rig.has('main.o.d'));
      assert.is((await rig.build()).report.commands, 0);
      rig.write('main.h', '#define VALUE 1\n');
      assert.is((await rig.build()).report.remote, 1);
      assert.match((await rig.plainly('-n')).stdout, 'no work to do');
    });

    test('a response file is there while it is needed', async () => {
      await using rig = new NinjaRig(tool, {
        'build.ninja': [
          'rule list',
          '  command = cat $out.rsp > $out',
          '  rspfile = $out.rsp',
          '  rspfile_content = $in_newline',
          'rule fail',
          '  command = grep nothing $out.rsp',
          '  rspfile = $out.rsp',
          '  rspfile_content = $in',
          'build list: list build.ninja a',
          'build failed: fail a',
          'default list',
          '',
        ].join('\n'),
        a: '',
      });
      const { report } = await rig.build();
      assert.equal([report.remote, rig.read('list'), rig.has('list.rsp')], [1, 'build.ninja\na', false]);
      assert.not.equal((await rig.build({}, ['failed'])).status, 0);
      assert.is(rig.read('failed.rsp'), 'a');
    });

    test('what was left as it was keeps its time, so restat spares what depends on it', async () => {
      await using rig = new NinjaRig(tool, {
        'build.ninja': [
          'rule header',
          '  command = sed s/#.*// $in > $out.new; cmp -s $out $out.new || cp $out.new $out; rm $out.new',
          '  restat = 1',
          'rule copy',
          '  command = cp $in $out',
          'build header: header in',
          'build copy: copy header',
          '',
        ].join('\n'),
        in: 'text # comment\n',
      });
      assert.is((await rig.build()).report.commands, 2);
      const times = [rig.mtimeNs('header'), rig.mtimeNs('copy')];
      rig.write('in', 'text # other comment\n');
      assert.is((await rig.build()).report.commands, 1);
      assert.equal([rig.mtimeNs('header'), rig.mtimeNs('copy')], times);
      assert.is((await rig.build()).report.commands, 0);
    });

    test('commands of the console pool write where the tool does', async () => {
      await using rig = new NinjaRig(tool, {
        'build.ninja': [
          'rule talk',
          '  command = expr $out : "\\(.*\\)"; echo err >&2; touch $out',
          '  pool = console',
          'build talker: talk',
          '',
        ].join('\n'),
      });
      const { stdout, stderr, report } = await rig.build();
      assert.match(stdout, /^talker$/m);
      assert.match(stderr, /^err$/m);
      assert.is(report.remote, 1);
    });

    test('outputs are in order for the tool, however quickly they follow each other', async () => {
      const steps = Array.from({ length: 12 }, (_, i) => `build s${i + 1}: copy s${i}`);
      await using rig = new NinjaRig(tool, {
        'build.ninja': ['rule copy', '  command = cp $in $out', ...steps, ''].join('\n'),
        s0: 'x',
      });
      assert.is((await rig.build()).report.commands, 12);
      const again = await rig.plainly('-n', '-d', 'explain');
      assert.match(again.stdout, 'no work to do', again.stderr);
    });

    test('a command that fails or dies fails the build, and leaves the others', async () => {
      await using rig = new NinjaRig(tool, {
        'build.ninja': [
          'rule run',
          '  command = $line',
          'build fails: run',
          '  line = echo > fails; exit 7',
          'build dies: run',
          '  line = kill -SEGV $$$$',
          'build works: run',
          '  line = echo done > works',
          '',
        ].join('\n'),
      });
      const { status, stdout, report } = await rig.build({}, ['-k0', '-j1']);
      const { remote, failed, localByReason } = report;
      assert.equal([remote, failed, localByReason], [2, 1, { failed: 1 }], stdout);
      assert.equal([rig.read('works'), rig.has('fails'), rig.has('dies')], ['done\n', true, false]);
      for (const name of ['works', 'fails']) rig.remove(name);
      assert.is(status, (await rig.plainly('-k0', '-j1')).status);
    });

    test('Ctrl-C ends all of it', async () => {
      await using rig = new NinjaRig(tool, sleeping);
      // A group of its own, which exec keeps: the process that is waited for is the program itself.
      const build = rig.build({ through: ['setsid', 'setpriv', '--pdeathsig', 'clear'] });
      await rig.findProcess(/^sleep 1000/);
      const [wrapper] = await rig.findProcess(/node .*main\.js build/);
      process.kill(-wrapper!, 'SIGINT');
      const { report } = await build;
      assert.equal([report.commands, rig.has('never')], [0, false]);
      assert.equal(await rig.processesLeft(), []);
    });

    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      test(`${signal} to it ends what runs, and nothing is left half done`, async () => {
        await using rig = new NinjaRig(tool, sleeping);
        const build = rig.build();
        await rig.interrupt(signal);
        const { status, report } = await build;
        assert.equal([report.commands, rig.has('never')], [0, false]);
        const plain = rig.plainly();
        await rig.interrupt(signal);
        assert.is(status, (await plain).status);
      });
    }
  });
}

suite('termite ninja', (test) => {
  test('--verify runs what it could answer from the cache, and compares', async () => {
    await using rig = new NinjaRig(findNinja, {
      'build.ninja': 'rule copy\n  command = cat $in > $out\nbuild out: copy in\n',
      in: 'x\n',
    });
    for (const [flags, cached, verified] of [
      [[], 0, 0],
      [['--verify'], 0, 1],
      [['--verify=0'], 1, 0],
    ] as const) {
      const { status, stderr, report } = await rig.report(['ninja', ...flags]);
      assert.equal([status, rig.read('out')], [0, 'x\n'], stderr);
      assert.equal([report.cached, report.verified, report.mismatched], [cached, verified, 0], stderr);
      rig.remove('out');
    }
  });
});
