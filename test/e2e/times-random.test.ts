import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { MasterClient } from '../../master/master-client.ts';
import { randomOf } from '../harness/random.ts';
import { skip, suite } from '../harness/suite.ts';
import { nativeShell, TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** More steps, and another seed, for a longer search: `TIMES_STEPS=2000 TIMES_SEED=7`. */
const stepCount = Number(process.env['TIMES_STEPS'] ?? 30);
const seed = Number(process.env['TIMES_SEED'] ?? 1);

/** All is phony: each command is asked for each time, and itself looks at what there is. */
const makefile = `
all: compile newer listed sorted copied shown nested linked home temporary moved picked logged updated timed
compile:
	cc -Isrc -c -o a.o src/a.c
newer:
	sh newer.sh
listed:
	find src -type f -newer stamp | sort > list; cat list > list.copy; touch stamp
sorted:
	cat $$(ls -t src/*.txt) > by-time
copied:
	cat src/a.txt > a.copy; cp -p src/s.txt s.copy
shown:
	sh shown.sh > shown.out
nested:
	sh nested.sh
linked:
	rm -f one two; cat src/b.txt > one; ln one two; ls one two > /dev/null
home:
	cat src/b.txt > $$HOME/f; cat $$HOME/f > from-home
temporary:
	t=$$(mktemp) && cat src/a.txt > $$t && sort $$t > from-tmp; rm $$t
moved:
	sed s/o/0/ src/b.txt > new && mv -f new moved
picked:
	[ src/a.txt -nt moved ] && cat src/a.txt > picked || cat moved > picked
logged:
	cat src/a.txt > log; sh newer.sh >> log; cat log > log.copy
updated:
	cat src/b.txt > /dev/null; cp -u src/b.txt updated
timed:
	sh timed.sh
.PHONY: all compile newer listed sorted copied shown nested linked home temporary moved picked logged updated timed
`;

const start: Readonly<Record<string, string>> = {
  Makefile: makefile,
  // What costs less beside make is of interest here, too.
  '.termite-localrc': '[{ "Regexp": "", "Local": false }]',
  'newer.sh':
    'for f in src/*.txt; do o=made/\x24{f#src/}; [ -e $o ] && [ ! $f -nt $o ] || { echo making $o; cat $f > $o; }; done\n',
  'shown.sh': 'stat -c "%n %s %Y" src/s.txt; find src -name "s.*" -printf "%p %T@\\n"; ls made\n',
  'nested.sh': 'M=ma; N=ke; $M$N -s -f inner.mk\n',
  'inner.mk':
    'inner.2: inner.1\n\tcat inner.1 src/a.txt > inner.2; echo made 2\ninner.1: src/b.txt\n\tcat src/b.txt > inner.1; echo made 1\n',
  'timed.sh':
    'for f in src/*.txt stamp moved; do for g in src/*.txt a.copy log; do [ $f -nt $g ] && echo $f $g; done; done > timed; true\n',
  'src/a.c': '#include "h.h"\nint a = V;\n',
  'src/h.h': '#define V 1\n',
  'src/a.txt': 'one\n',
  'src/b.txt': 'two\n',
  'src/s.txt': 'six\n',
  'made/x': '',
  stamp: '',
};
/** Always has a time of ours, since it is shown. */
const dated = 'src/s.txt';
const sources = ['src/a.txt', 'src/b.txt', dated, 'src/h.h', 'src/c.txt'];
const outputs = [
  'made/a.txt',
  'inner.1',
  'inner.2',
  'moved',
  'updated',
  'stamp',
  'a.copy',
  'log',
  'list',
  'one',
];
const words = ['one\n', 'two\n', 'six\n', 'seven\n'];

/** The time of the kernel goes in ticks: what is written in one of them is of one age. */
const tickMs = 12;

/** Two copies of one project, to which the same is done in the same order. */
class Twins {
  readonly #roots: readonly string[];
  readonly #random: (limit: number) => number;

  constructor(roots: readonly string[], random: (limit: number) => number) {
    this.#roots = roots;
    this.#random = random;
    for (const [path, content] of Object.entries(start)) this.#write(path, content, 0);
  }

  /** Changes something in both. @returns what, for messages */
  async step(): Promise<string> {
    await pause(tickMs);
    const what = this.#change();
    await pause(tickMs);
    return what;
  }

  #change(): string {
    const source = this.#pick(sources);
    const output = this.#pick(outputs);
    const second = this.#random(5);
    switch (this.#random(8)) {
      case 0:
        return this.#touch(source, second);
      case 1:
        return this.#touch(output, second);
      case 2:
        return this.#each(output, (path) => rmSync(path, { force: true }), 'removed');
      case 3:
        return (
          this.#each(
            'src/b.txt',
            (path) => renameSync(path, join(dirname(path), 'a.txt')),
            'moved over a.txt',
          ) + this.#write('src/b.txt', this.#pick(words), second)
        );
      case 4:
        return this.#each('src/c.txt', (path) => rmSync(path, { force: true }), 'removed');
      case 5:
        return 'nothing';
      default: {
        const content = source === 'src/h.h' ? `#define V ${second}\n` : this.#pick(words);
        return this.#write(source, content, source === dated || this.#random(2) ? second : undefined);
      }
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random(items.length)]!;
  }

  /** @param second undefined: now */
  #write(path: string, content: string, second?: number): string {
    for (const root of this.#roots) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
      chmodSync(join(root, path), 0o644);
    }
    return `${path} is ${content.trim()}; ${second === undefined ? '' : this.#touch(path, second)}`;
  }

  #touch(path: string, second: number): string {
    return this.#each(
      path,
      (file) => utimesSync(file, 1.6e9 + second, 1.6e9 + second),
      `is of second ${second}`,
    );
  }

  #each(path: string, change: (absolutePath: string) => void, what: string): string {
    for (const root of this.#roots) if (existsSync(join(root, path))) change(join(root, path));
    return `${path} ${what}; `;
  }
}

interface Built {
  status: number | string;
  stdout: string;
  stderr: string;
}

/** As `termite make -k`, without starting a process for the command line. */
async function build(rig: TermiteRig): Promise<Built & { cached: number }> {
  const { socketPath } = rig;
  using client = await MasterClient.connect(socketPath);
  if (!client) throw new Error('The master is gone');
  const { id } = await client.ask('open-session');
  const env = { ...rig.env, TERMITE_SOCKET: socketPath, TERMITE_SESSION: id, TERMITE_SHELL: '/bin/sh' };
  const built = await rig.run(['make', '-k', `SHELL=${nativeShell}`], { env });
  const { report } = await client.ask('report');
  return { ...built, cached: report.cached };
}

suite('Random edits and touches', (test) => {
  test(
    `after each of ${stepCount} steps all is as plain make has it (seed ${seed})`,
    async () => {
      const obstacle = sandboxObstacle();
      if (obstacle) skip(obstacle, 'fuse');
      await using rig = new TermiteRig('root');
      const plain = join(rig.base, 'plain');
      const slowShell = join(rig.base, 'slow-shell');
      mkdirSync(plain);
      writeFileSync(slowShell, `#!/bin/sh\nsleep ${tickMs / 1000}\nexec /bin/sh "$@"\n`);
      chmodSync(slowShell, 0o755);
      const twins = new Twins([rig.project, plain], randomOf(seed));
      await using _master = await rig.daemon(['master'], /ready/);
      let hits = 0;
      for (let step = 0; step < stepCount; step++) {
        const what = step === 0 ? 'the first build' : await twins.step();
        const ours = await build(rig);
        const theirs = await rig.run(['make', '-k', `SHELL=${slowShell}`], { cwd: plain });
        hits += ours.cached;
        const found = differences(readTree(plain), readTree(rig.project));
        const told = `step ${step}, ${what}\n${ours.stderr}\n${found.join('\n')}`;
        assert.equal([ours.status, ours.stdout, found], [theirs.status, theirs.stdout, []], told);
      }
      console.log(`${hits} hits of ${stepCount * 15}`);
      assert.ok(stepCount < 20 || hits > stepCount, `only ${hits} hits`);
    },
    { deadlineMs: 60_000 + stepCount * 10_000 },
  );
});
