import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { MasterClient } from '../../master/master-client.ts';
import { randomOf } from '../harness/random.ts';
import { skip, suite } from '../harness/suite.ts';
import { nativeShell, TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** More steps, and another seed, for a longer search: `CACHE_STEPS=5000 CACHE_SEED=7`. */
const stepCount = Number(process.env['CACHE_STEPS'] ?? 300);
const seed = Number(process.env['CACHE_SEED'] ?? 1);

const modules = ['a', 'b', 'c'];
const makefile = `
all: prog list.txt report.txt
prog: main.o lib.a
	cc -o prog main.o lib.a
lib.a: ${modules.map((name) => `${name}.o`).join(' ')}
	rm -f $@ && ar rcD $@ $^
%.o: %.c FORCE_HEADERS
	cc -Iinc1 -Iinc2 -c -o $@ $<
FORCE_HEADERS: $(wildcard inc1/*.h inc2/*.h) inc1 inc2
	touch FORCE_HEADERS
gen.h: gen.sh words
	sh gen.sh > gen.h
main.o: gen.h
list.txt: data $(wildcard data/*)
	ls data > list.txt; test -e data/flag && echo flagged >> list.txt; true
report.txt: prog list.txt
	./prog > report.txt; cat list.txt >> report.txt; wc -c < words >> report.txt
clean:
	rm -f *.o lib.a prog gen.h list.txt report.txt FORCE_HEADERS
`;

const start: Readonly<Record<string, string>> = {
  Makefile: makefile,
  // What costs less beside make is of interest here, too.
  '.termite-localrc': '[{ "Regexp": "", "Local": false }]',
  'gen.sh':
    'while read -r word; do echo "#define WORD_$word 1"; done < words; echo "#define N $(wc -l < words)"\n',
  words: 'one\ntwo\n',
  'main.c':
    '#include "gen.h"\n#include <stdio.h>\nint a(void), b(void), c(void);\nint main(void) { return printf("%d %d\\n", N, a() + b() + c()) < 0; }\n',
  ...Object.fromEntries(
    modules.map((name) => [`${name}.c`, `#include "value.h"\nint ${name}(void) { return VALUE; }\n`]),
  ),
  'inc2/value.h': '#define VALUE 1\n',
  'inc1/other.h': '',
  'data/x': '',
};

/** Two copies of one project: one is built by plain make, from nothing each time, the other by Termite. */
class Twins {
  readonly rig: TermiteRig;
  readonly plain: string;
  readonly #random: (limit: number) => number;
  readonly #earlier: Map<string, string | undefined>[] = [];
  /** What plain make makes of sources: a state that comes back need not be built again. */
  readonly #built = new Map<string, Map<string, string>>();

  constructor(rig: TermiteRig, random: (limit: number) => number) {
    this.rig = rig;
    this.plain = join(rig.base, 'plain');
    this.#random = random;
    mkdirSync(this.plain);
    for (const [path, content] of Object.entries(start)) this.#put(path, content);
  }

  /** Changes something in both. @returns what, for messages */
  step(): string {
    const { rig } = this;
    const pick = <T>(items: readonly T[]): T => items[this.#random(items.length)]!;
    const number = this.#random(4);
    this.#earlier.push(this.#sources());
    switch (this.#random(9)) {
      case 0:
        return this.#put('inc2/value.h', `#define VALUE ${number}\n`);
      case 1: {
        const shadow = 'inc1/value.h';
        if (!existsSync(join(rig.project, shadow))) return this.#put(shadow, `#define VALUE ${number + 5}\n`);
        return this.#put(shadow, undefined);
      }
      case 2: {
        const name = pick(modules);
        return this.#put(
          `${name}.c`,
          `#include "value.h"\n/* ${number} */ int ${name}(void) { return VALUE; }\n`,
        );
      }
      case 3:
        return this.#put(
          'words',
          ['one', 'two', 'three', 'four']
            .slice(0, number + 1)
            .join('\n')
            .concat('\n'),
        );
      case 4: {
        const path = `data/${pick(['x', 'y', 'flag'])}`;
        return this.#put(path, existsSync(join(rig.project, path)) ? undefined : '');
      }
      case 5:
        return this.#revert(this.#earlier[this.#random(this.#earlier.length)]!);
      case 6: {
        const output = pick(['lib.a', 'a.o', 'prog', 'gen.h', 'report.txt', 'list.txt']);
        rmSync(join(rig.project, output), { force: true });
        return `output ${output} deleted`;
      }
      case 7:
        this.clean();
        return 'make clean';
      default:
        return this.#put('data/y', `edit ${number}`);
    }
  }

  clean(): void {
    for (const name of readdirSync(this.rig.project)) {
      if (/[.](?:o|a|txt)$|^(?:prog|gen[.]h|FORCE_HEADERS)$/.test(name))
        unlinkSync(join(this.rig.project, name));
    }
  }

  /** What make's own idea of time may hide from it is not our subject: all of the plain copy is built each time. */
  async buildPlain(): Promise<Map<string, string>> {
    const sources = JSON.stringify([...this.#sources()]);
    const built = this.#built.get(sources) ?? (await this.#build());
    this.#built.set(sources, built);
    return built;
  }

  async #build(): Promise<Map<string, string>> {
    const moved = join(this.rig.base, 'moved');
    cpSync(this.plain, moved, { recursive: true });
    const { status, stderr } = await this.rig.run(['make', '-j2'], { cwd: moved });
    assert.is(status, 0, stderr);
    const tree = readTree(moved);
    rmSync(moved, { recursive: true });
    return tree;
  }

  #put(path: string, content: string | undefined): string {
    for (const root of [this.rig.project, this.plain]) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      if (content === undefined) rmSync(join(root, path), { force: true });
      else writeFileSync(join(root, path), content);
    }
    return content === undefined ? `${path} deleted` : `${path} written: ${content.trim()}`;
  }

  #sources(): Map<string, string | undefined> {
    const paths = [...readTree(this.plain)]
      .filter(([, what]) => what.startsWith('file'))
      .map(([path]) => path);
    return new Map(paths.map((path) => [path, readFileSync(join(this.plain, path), 'utf8')]));
  }

  #revert(earlier: ReadonlyMap<string, string | undefined>): string {
    for (const path of new Set([...this.#sources().keys(), ...earlier.keys()]))
      this.#put(path, earlier.get(path));
    return 'back to an earlier state';
  }
}

/** As `termite make`, without starting a process for the command line. */
async function build(rig: TermiteRig): Promise<{ status: number | string; stderr: string; cached: number }> {
  const { socketPath } = rig;
  using client = await MasterClient.connect(socketPath);
  if (!client) throw new Error('The master is gone');
  const { id } = await client.ask('open-session');
  const env = { ...rig.env, TERMITE_SOCKET: socketPath, TERMITE_SESSION: id, TERMITE_SHELL: '/bin/sh' };
  const { status, stderr } = await rig.run(['make', '-j2', `SHELL=${nativeShell}`], { env });
  const { report } = await client.ask('report');
  assert.is(report.local, 0, stderr);
  return { status, stderr, cached: report.cached };
}

/** @returns what differed first, and how many hits there were up to then */
async function search(
  distortion: string | undefined,
  steps: number,
): Promise<{ found: string[]; hits: number }> {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  await using rig = new TermiteRig('root');
  const twins = new Twins(rig, randomOf(seed));
  if (distortion !== undefined) rig.env['TERMITE_TEST_DISTORT'] = distortion;
  await using _master = await rig.daemon(['master'], /ready/);
  let hits = 0;
  for (let step = 0; step < steps; step++) {
    const what = step === 0 ? 'the first build' : twins.step();
    // Each command is asked for each time, whatever make would think of times.
    twins.clean();
    const { status, stderr, cached } = await build(rig);
    hits += cached;
    const found = differences(await twins.buildPlain(), readTree(rig.project));
    if (status !== 0 || found.length > 0)
      return { found: [`step ${step}, ${what}: ${stderr}`, ...found], hits };
  }
  return { found: [], hits };
}

suite('Random edits', (test) => {
  test(
    `after each of ${stepCount} steps the tree is that of plain make (seed ${seed})`,
    async () => {
      const { found, hits } = await search(undefined, stepCount);
      assert.equal(found, []);
      assert.ok(hits > stepCount, `only ${hits} hits`);
    },
    { deadlineMs: 60_000 + stepCount * 5_000 },
  );

  for (const broken of ['content', 'absent', 'names']) {
    test(
      `are found out when the fingerprint leaves out: ${broken}`,
      async () => {
        const { found } = await search(broken, 60);
        assert.ok(found.length > 0);
      },
      { deadlineMs: 300_000 },
    );
  }
});
