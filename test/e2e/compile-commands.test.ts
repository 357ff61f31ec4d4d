import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, needPrograms, sandboxObstacle } from '../rigs/user.ts';

const files = {
  Makefile: `CFLAGS = -O1 '-DNAME="a b"' -I$(CURDIR)/include
export CFLAGS
prog: main.o lib/util.o generated.o ; $(CC) -o $@ $^
main.o: main.c ; @depbase=main; $(CC) $(CFLAGS) -MD -MF $$depbase.d -c -o $@ main.c
generated.c: ; echo 'int generated;' > $@
generated.o: generated.c ; cd . && env LC_ALL=C $(CC) -c generated.c
lib/util.o: lib/util.c ; $(MAKE) -C lib
clean: ; rm -f prog *.o *.d lib/*.o
`,
  'lib/Makefile': 'util.o: util.c ; $(CC) $(CFLAGS) -c util.c\n',
  'main.c': '#include "value.h"\nconst char *name = NAME;\nint main(void) { return VALUE; }\n',
  'lib/util.c': '#include "value.h"\nint util(void) { return VALUE; }\n',
  'include/value.h': '#define VALUE 0\n',
  // One of them does not leave make.
  '.termite-localrc': '[{ "Regexp": "-c util\\\\.c", "Local": true }]',
};

class Project extends TermiteRig {
  constructor() {
    super(availableUsers()[0]!);
    for (const dir of ['lib', 'include']) mkdirSync(join(this.project, dir));
    for (const [path, text] of Object.entries(files)) writeFileSync(join(this.project, path), text);
    this.give(this.project);
  }

  async make(...args: string[]) {
    const outcome = await this.report(['make', ...args]);
    assert.is(outcome.status, 0, outcome.stderr);
    return outcome;
  }

  database(name = 'compile_commands.json') {
    return JSON.parse(readFileSync(join(this.project, name), 'utf8')) as {
      directory: string;
      file: string;
      arguments: string[];
      output: string;
    }[];
  }

  sources(): string[] {
    return this.database().map(({ file }) => relative(this.project, file));
  }
}

suite('termite make --compile-commands', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('writes commands that make the same objects again, wherever they ran', async () => {
    await using rig = new Project();
    const { report } = await rig.make('--compile-commands', '-j2');
    assert.ok(report.remote > 0 && report.localByReason['rule'] === 1, JSON.stringify(report));
    assert.equal(rig.sources(), ['generated.c', 'lib/util.c', 'main.c']);
    for (const { directory, output, arguments: words } of rig.database()) {
      const object = resolve(directory, output);
      const built = readFileSync(object);
      rmSync(object);
      const [compiler = '', ...args] = words;
      assert.is(spawnSync(compiler, args, { cwd: directory, env: rig.env }).status, 0, words.join(' '));
      assert.equal(readFileSync(object), built, words.join(' '));
    }
  });

  test('knows commands that are answered from the cache, and keeps those of which there is nothing to do', async () => {
    await using rig = new Project();
    await rig.make('-j2');
    await rig.make('clean');
    const { report } = await rig.make('--compile-commands');
    assert.ok(report.cached > 0);
    const first = rig.database();
    assert.is(first.length, 3);
    writeFileSync(join(rig.project, 'main.c'), 'int main(void) { return 1; }\n');
    await rig.make('--compile-commands', 'main.o', 'CFLAGS=-O2');
    const second = rig.database();
    assert.equal(second.slice(0, 2), first.slice(0, 2));
    assert.equal(second[2]?.arguments, ['cc', '-O2', '-c', '-o', 'main.o', 'main.c']);
  });

  for (const [command, generator, ...args] of [
    ['make', 'Unix Makefiles', '-C', 'build'],
    ['ninja', 'Ninja', '-C', 'build'],
    ['cmake', 'Ninja', '--build', 'build'],
    ['build', 'Ninja', 'ninja', '-C', 'build'],
  ] as const)
    test(`agrees with CMake's own database: termite ${command}`, () =>
      agreesWithCMake(generator, [command, '--compile-commands=ours.json', ...args]));

  test('takes another file, and leaves one alone that is no database', async () => {
    await using rig = new Project();
    await rig.make(`--compile-commands=lib/db.json`, 'main.o');
    assert.is(rig.database('lib/db.json').length, 1);
    writeFileSync(join(rig.project, 'compile_commands.json'), 'precious');
    const { stderr } = await rig.make('--compile-commands', 'generated.o');
    assert.match(stderr, /termite: Cannot update ".*compile_commands.json": it is no compilation database/);
    assert.is(readFileSync(join(rig.project, 'compile_commands.json'), 'utf8'), 'precious');
  });
});

async function agreesWithCMake(generator: string, args: readonly string[]): Promise<void> {
  await using rig = new TermiteRig(availableUsers()[0]!);
  needPrograms('cmake', 'ninja');
  const lists = [
    'cmake_minimum_required(VERSION 3.16)',
    'project(x C CXX)',
    'add_library(l STATIC a.c sub/b.cc)',
    'target_compile_definitions(l PRIVATE "NAME=\\"a b\\"")',
  ];
  for (const dir of ['sub', 'build']) mkdirSync(join(rig.project, dir));
  writeFileSync(join(rig.project, 'CMakeLists.txt'), lists.join('\n'));
  for (const source of ['a.c', 'sub/b.cc'])
    writeFileSync(join(rig.project, source), 'const char *s = NAME;\n');
  rig.give(rig.project);
  const configured = await rig.run([
    'cmake',
    '-G',
    generator,
    '-S.',
    '-Bbuild',
    '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON',
  ]);
  assert.is(configured.status, 0, configured.stderr);
  const built = await rig.termite(args);
  assert.is(built.status, 0, built.stderr);
  const read = (file: string) => JSON.parse(readFileSync(join(rig.project, file), 'utf8'));
  const words = (command: string) =>
    spawnSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
      .stdout.trimEnd()
      .split('\n');
  type Theirs = { directory: string; command: string; file: string };
  const theirs = read('build/compile_commands.json').map(({ directory, command, file }: Theirs) => ({
    ...{ directory, file, arguments: words(command) },
  }));
  const ours = read('ours.json').map(({ output: _, ...entry }: { output: string }) => entry);
  assert.equal(ours, theirs);
}
