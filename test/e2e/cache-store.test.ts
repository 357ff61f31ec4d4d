import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { sandboxObstacle } from '../rigs/user.ts';

const sizeBytes = 600_000;
const makefile = `all: one two
one: in
	{ cat in; head -c ${sizeBytes} /dev/zero; } > one
two: in
	{ cat in in; head -c ${sizeBytes} /dev/zero; } > two
clean: ; rm -f one two
`;
const many = Array.from({ length: 30 }, (_, index) => `o${index}`).join(' ');
const manyCommands = `all: ${many}
${many}: in
	sed s/x/$@/ in > $@
clean: ; rm -f ${many}
`;

/** Projects of one user, with one store for all of them. */
class StoreRig extends TermiteRig {
  constructor() {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    super('root');
  }

  /** A project whose outputs depend on `input` only. @returns its folder */
  addProject(name: string, input: string, text = makefile): string {
    const dir = join(this.project, name);
    mkdirSync(dir);
    writeFileSync(join(dir, 'Makefile'), text);
    writeFileSync(join(dir, 'in'), `${input}\n`);
    return dir;
  }

  /** Builds from scratch. @returns how many commands were hits and how many ran */
  async build(cwd: string): Promise<[hits: number, ran: number]> {
    await this.run(['make', 'clean'], { cwd });
    const { status, stderr, report } = await this.report(['make', '-j2'], { cwd });
    assert.equal([status, report.fallbacks], [0, 0], stderr);
    return [report.cached, report.remote];
  }

  async cache(cwd: string, ...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.termite(['cache', ...args], { cwd });
    assert.is(status, 0, stderr);
    return stdout;
  }

  /** Blobs that are outputs. */
  outputs(): string[] {
    return this.#blobs().filter((path) => Math.abs(statSync(path).size - sizeBytes) < 100);
  }

  /** As if nothing in the store had been used for a day. */
  age(): void {
    const yesterday = Date.now() / 1000 - 24 * 3600;
    for (const path of this.#blobs()) utimesSync(path, yesterday, yesterday);
  }

  #blobs(): string[] {
    const store = join(this.base, 'cache/termite/cas');
    return readdirSync(store)
      .filter((name) => name.length === 2)
      .flatMap((name) => readdirSync(join(store, name)).map((hash) => join(store, name, hash)));
  }
}

suite('One store for several projects', (test) => {
  for (const [what, stays] of [
    ['ends with its build', false],
    ['stays', true],
  ] as const) {
    test(`a master that ${what} drops by itself what was not used for longest`, async () => {
      await using rig = new StoreRig();
      const project = rig.addProject('a', 'one');
      assert.equal(await rig.build(project), [0, 2]);
      await rig.processesLeft();
      assert.is(rig.outputs().length, 2);
      rig.age();
      writeFileSync(join(project, 'in'), 'other\n');
      {
        rig.env['TERMITE_CACHE_MIB'] = '1';
        await using _master = stays ? await rig.daemon(['master', '--root', project], /ready/) : undefined;
        assert.equal(await rig.build(project), [0, 2]);
        while (rig.outputs().length > 2) await new Promise((wake) => setTimeout(wake, 10));
        assert.equal(await rig.build(project), [2, 0], 'the latest results are there');
      }
      writeFileSync(join(project, 'in'), 'one\n');
      assert.equal(await rig.build(project), [0, 2], 'what is gone is a miss');
    });
  }

  test('termite cache gc drops content and the results that needed it', async () => {
    await using rig = new StoreRig();
    const project = rig.addProject('a', 'one');
    await rig.build(project);
    assert.match(await rig.cache(project, 'gc', '--size', '0'), /^results {4}2, /m, 'all is in use');
    rig.age();
    const said = await rig.cache(project, 'gc', '--size', '0');
    assert.match(
      said,
      /^store {6}1 blobs, 0[.]0 KiB of 20[.]0 GiB\ndropped {4}\d+ blobs, 2 results\nresults {4}0, /,
    );
    assert.match(said, /^hits {7}0, saved 0[.]0 s\nmisses {5}2 [(]2 new-command[)]\nnot kept {3}0$/m);
    assert.equal(await rig.build(project), [0, 2]);
    assert.match(await rig.cache(project, 'stats'), /^results {4}2, /m);
  });

  test('termite cache verify drops what is bad', async () => {
    await using rig = new StoreRig();
    const project = rig.addProject('a', 'one');
    await rig.build(project);
    for (const path of rig.outputs()) truncateSync(path, sizeBytes);
    assert.match(await rig.cache(project, 'verify'), /^dropped {4}2 blobs, 2 results$/m);
    assert.equal(await rig.build(project), [0, 2]);
    assert.not.match(await rig.cache(project, 'verify'), /dropped/);
  });

  test('termite cache clear leaves the content that other projects need, and all while one is in use', async () => {
    await using rig = new StoreRig();
    const [a, b, c] = [rig.addProject('a', 'same'), rig.addProject('b', 'same'), rig.addProject('c', 'own')];
    for (const project of [a, b, c]) await rig.build(project);
    rig.age();
    {
      await using _master = await rig.daemon(['master', '--root', b], /ready/);
      assert.match(await rig.cache(c, 'clear'), /^left {7}all blobs: a master of another project runs/m);
      assert.is(rig.outputs().length, 4);
    }
    await rig.build(c);
    rig.age();
    assert.match(await rig.cache(c, 'clear'), /^dropped {4}2 blobs/m);
    await rig.cache(a, 'clear');
    assert.is(rig.outputs().length, 2);
    assert.equal(await rig.build(b), [2, 0]);
    assert.equal(await rig.build(a), [0, 2]);
  });

  test(
    'two masters build while everything is dropped again and again: lost hits at most',
    async () => {
      await using rig = new StoreRig();
      const projects = ['a', 'b'].map((name) => rig.addProject(name, 'x', manyCommands));
      const collector = rig.addProject('c', 'x');
      await using _a = await rig.daemon(['master', '--root', projects[0]!], /ready/);
      await using _b = await rig.daemon(['master', '--root', projects[1]!], /ready/);
      await using _c = await rig.daemon(['master', '--root', collector], /ready/);
      let dropped = 0;
      for (let round = 0; round < 6; round++) {
        rig.age();
        const builds = Promise.all(projects.map((project) => rig.build(project)));
        let isBuilding = true;
        void builds.finally(() => (isBuilding = false)).catch(() => {});
        while (isBuilding) {
          const [, count = '0'] =
            /^dropped +(\d+)/m.exec(await rig.cache(collector, 'gc', '--size', '0')) ?? [];
          dropped += Number(count);
        }
        await builds;
        for (const project of projects)
          for (const name of many.split(' '))
            assert.is(readFileSync(join(project, name), 'utf8'), `${name}\n`);
      }
      assert.ok(dropped > 100, `only ${dropped} blobs were dropped`);
    },
    { deadlineMs: 60_000 },
  );
});
