import {
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { patience } from '../harness/slowness.ts';
import { skip, suite } from '../harness/suite.ts';
import { CacheRig } from '../rigs/cache.ts';
import { termiteCommand } from '../rigs/termite.ts';
import { ordinaryId, sandboxObstacle } from '../rigs/user.ts';

const master = /main\.js master/;

/** A project whose masters wait for the next build; what still waits at the end is ended. */
class ParkingRig extends CacheRig {
  constructor() {
    super('root');
    this.env['TERMITE_IDLE_SECONDS'] = '60';
    this.write({
      Makefile: 'all: hello\nhello: hello.c part.h\n\tgcc -o $@ hello.c\nclean:\n\trm -f hello\n',
      'hello.c': '#include <stdio.h>\n#include "part.h"\nint main(void) { puts(PART); }\n',
      'part.h': '#define PART "one"\n',
    });
  }

  /** What the program says that is built now. */
  async build(env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { status, stderr } = await this.termite(['make'], { env: { ...this.env, ...env } });
    assert.is(status, 0, stderr);
    return (await this.run(['./hello'])).stdout.trim();
  }

  masters(): number[] {
    return this.processes(master);
  }

  async masterEnded(pid: number | undefined): Promise<void> {
    for (const deadline = Date.now() + patience(10_000); this.masters().includes(pid!); await sleep(20))
      assert.ok(Date.now() < deadline, `the master ${pid} is still there`);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.termite(['stop']);
    await super[Symbol.asyncDispose]();
  }
}

function parkingRig(): ParkingRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  return new ParkingRig();
}

suite('a master between builds', (test) => {
  test('serves the next one, which sees all that has changed', async () => {
    await using rig = parkingRig();
    assert.is(await rig.build(), 'one');
    const [pid] = rig.masters();
    assert.ok(pid);
    assert.not(readdirSync(rig.project).some((name) => name.startsWith('.termite')));

    rig.write({ 'part.h': '#define PART "two"\n' });
    assert.is(await rig.build(), 'two');
    rig.remove('hello');
    rig.write({ 'part.h': '#define PART "one"\n' });
    const { report, stderr } = await rig.report(['make']);
    assert.is(report.cached, 1, stderr);
    assert.equal(rig.masters(), [pid]);
  });

  test('sees what is written through a mapping, of which the kernel tells nobody', async () => {
    await using rig = parkingRig();
    rig.write({ data: 'before\n' });
    const script = 'cat data; touch done';
    assert.is((await rig.termite(['run', 'sh', '-c', script])).stdout, 'before\n');
    const [pid] = rig.masters();
    const write = `
import mmap, os
fd = os.open("data", os.O_RDWR)
m = mmap.mmap(fd, 7)
m[0:6] = b"after!"
m.flush()
m.close()
`;
    assert.is((await rig.run(['python3', '-c', write])).status, 0);
    assert.is((await rig.termite(['run', 'sh', '-c', script])).stdout, 'after!\n');
    assert.equal(rig.masters(), [pid]);
  });

  test('serves several builds that begin at once', async () => {
    await using rig = parkingRig();
    await rig.build();
    const [pid] = rig.masters();
    const lines = ['a', 'b', 'c'].map((name) => rig.termite(['run', 'sh', '-c', `echo ${name} > ${name}`]));
    for (const { status, stderr } of await Promise.all(lines)) assert.is(status, 0, stderr);
    assert.is(rig.read('a') + rig.read('b') + rig.read('c'), 'a\nb\nc\n');
    assert.equal(rig.masters(), [pid]);
  });

  test('ends when none comes', async () => {
    await using rig = parkingRig();
    await rig.build({ TERMITE_IDLE_SECONDS: '1' });
    await rig.waitForEnd(/./);
  });

  test('is asked for from the folders below, and by no other', async () => {
    await using rig = parkingRig();
    rig.write({ 'sub/Makefile': 'all: ; cat ../part.h > out\n' });
    await rig.build();
    assert.match((await rig.termite(['status'], { cwd: rig.path('sub') })).stdout, /^builds +0$/m);
    const { status, stderr } = await rig.termite(['status'], { cwd: rig.base });
    assert.is(status, 125);
    assert.match(stderr, /No master runs/);
  });

  test('makes another needless that was started for a build at the same moment', async () => {
    await using rig = parkingRig();
    await using _first = await rig.daemon(['master'], /ready/);
    const { status, stdout, stderr } = await rig.termite(['master', '--until-idle']);
    assert.equal([status, stdout, stderr], [0, '', '']);
  });

  test('stops when told to', async () => {
    await using rig = parkingRig();
    await rig.build();
    assert.match((await rig.termite(['stop'])).stdout, /^Stopped/);
    await rig.waitForEnd(/./);
  });

  test('makes way for one that is started by hand', async () => {
    await using rig = parkingRig();
    await rig.build();
    const [parked] = rig.masters();
    await using byHand = await rig.daemon(['master'], /ready/);
    assert.is(await rig.build(), 'one');
    assert.equal(rig.masters(), [byHand.child.pid]);
    assert.is.not(parked, byHand.child.pid);
  });
});

suite('a master that was started by hand', (test) => {
  test('sees what is written through a mapping and through a name outside of the project', async () => {
    await using rig = parkingRig();
    rig.write({ data: 'before\n', linked: 'before\n' });
    const outside = join(rig.base, 'outside');
    linkSync(join(rig.project, 'linked'), outside);
    await using _byHand = await rig.daemon(['master'], /ready/);
    const print = async () => (await rig.termite(['run', 'sh', '-c', 'cat data linked; touch done'])).stdout;
    assert.is(await print(), 'before\nbefore\n');
    writeFileSync(outside, 'after!\n');
    const script = 'import mmap, os; m = mmap.mmap(os.open("data", os.O_RDWR), 7); m[0:6] = b"after!"';
    assert.is((await rig.run(['python3', '-c', script])).status, 0);
    assert.is(await print(), 'after!\nafter!\n');
  });

  test('ends when another project stands in the place of its own', async () => {
    await using rig = parkingRig();
    await using byHand = await rig.daemon(['master'], /ready/);
    assert.is(await rig.build(), 'one');
    renameSync(rig.project, `${rig.project}-before`);
    cpSync(`${rig.project}-before`, rig.project, {
      recursive: true,
      filter: (path) => !/socket|hello$/.test(path),
    });
    rig.write({ 'part.h': '#define PART "two"\n' });
    assert.is(await rig.build(), 'two');
    await rig.masterEnded(byHand.child.pid);
  });
});

suite('a master that does not suit the next build', (test) => {
  /** Builds, lets something happen, and builds again: with another master, and right. */
  const cases: [title: string, change: (rig: ParkingRig) => Promise<NodeJS.ProcessEnv>][] = [
    ['other settings', async () => ({ TERMITE_CACHE_MIB: '500' })],
    [
      'a cache that was removed',
      async (rig) => {
        // It may be writing there just now.
        rmSync(join(rig.base, 'cache'), { recursive: true, maxRetries: 10 });
        return {};
      },
    ],
    [
      'its socket that was removed',
      async (rig) => {
        const projects = join(rig.base, 'cache/termite/projects');
        rmSync(join(projects, readdirSync(projects)[0]!, 'parked'));
        return {};
      },
    ],
    [
      'another folder in the place of the project',
      async (rig) => {
        const aside = join(rig.base, 'aside');
        await rig.run(['mv', rig.project, aside], { cwd: '/' });
        await rig.run(['cp', '-r', aside, rig.project], { cwd: '/' });
        // Times may be as coarse as that, and make compares them.
        await sleep(20);
        return {};
      },
    ],
    [
      'its own death',
      async (rig) => {
        for (const pid of rig.masters()) process.kill(pid, 'SIGKILL');
        await rig.waitForEnd(/./);
        return {};
      },
    ],
  ];
  for (const [title, change] of cases) {
    test(`is replaced: ${title}`, async () => {
      await using rig = parkingRig();
      await rig.build();
      const [former] = rig.masters();
      const env = await change(rig);
      rig.write({ 'part.h': '#define PART "two"\n' });
      assert.is(await rig.build(env), 'two');
      await rig.masterEnded(former);
      const now = rig.masters();
      assert.is(now.length, 1);
      assert.is.not(now[0], former);
      Object.assign(rig.env, env);
    });
  }

  test('is replaced: a file system that was mounted in the project', async () => {
    await using rig = parkingRig();
    if (process.getuid?.() !== 0) skip('only root can mount');
    rig.write({ 'sub/data': 'one\n', '.termite-localrc': '[{ "Regexp": "echo", "Local": true }]' });
    rig.write({
      Makefile: "all:\n\t@sort sub/data\n\t@bash -c 'echo new > sub/data; :'\n\t@sort sub/data; :\n",
    });
    const script = `
"$@" make && mount -t tmpfs termite-test sub && echo two > sub/data && "$@" make; "$@" stop`;
    const { status, stdout, stderr } = await rig.run([
      ...['unshare', '--mount', 'sh', '-c', script, 'sh'],
      ...termiteCommand,
    ]);
    assert.is(status, 0, stderr);
    assert.match(stdout, /^one\nnew\ntwo\nnew\n/);
    await rig.waitForEnd(/./);
  });

  test('is replaced: other limits', async () => {
    await using rig = parkingRig();
    await rig.build();
    const [former] = rig.masters();
    const limited = ['sh', '-c', 'ulimit -c 17; exec "$@"', 'sh'];
    const { status, stderr } = await rig.termite(['make'], { through: limited });
    assert.is(status, 0, stderr);
    await rig.masterEnded(former);
    // Nothing was run, so that the new one does not wait either.
    await rig.waitForEnd(/./);
  });
});

suite('a master does not wait', (test) => {
  test('after a build that was broken off', async () => {
    await using rig = parkingRig();
    await rig.build();
    rig.write({ Makefile: 'all: ; touch begun; sleep 1000\n' });
    const build = rig.termite(['make'], { through: ['setsid'] });
    await rig.findProcess(/^sleep 1000/);
    const [wrapper] = await rig.findProcess(/main\.js make/);
    process.kill(-wrapper!, 'SIGINT');
    assert.is.not((await build).status, 0);
    await rig.waitForEnd(/./);
    assert.not.ok(existsSync(rig.path('begun')));
  });

  test('when nothing was built', async () => {
    await using rig = parkingRig();
    assert.is((await rig.termite(['cache', 'stats'])).status, 0);
    await rig.waitForEnd(/./);
  });

  test("where the state is somebody else's, who could not end it", async () => {
    await using rig = parkingRig();
    if (process.getuid?.() !== 0) skip('only root can give files away');
    await rig.build({ TERMITE_IDLE_SECONDS: '0' });
    const projects = join(rig.base, 'cache/termite/projects');
    chownSync(join(projects, readdirSync(projects)[0]!), ordinaryId, ordinaryId);
    rig.write({ 'part.h': '#define PART "two"\n' });
    assert.is(await rig.build(), 'two');
    await rig.waitForEnd(/./);
  });

  test('for a time that is none', async () => {
    await using rig = parkingRig();
    const { status, stderr } = await rig.termite(['make'], {
      env: { ...rig.env, TERMITE_IDLE_SECONDS: 'long' },
    });
    assert.is(status, 0);
    assert.match(stderr, /^termite: building without Termite: [^\n]*TERMITE_IDLE_SECONDS[^\n]*\n$/);
  });

  test('where its state cannot have a socket', async () => {
    await using rig = parkingRig();
    await rig.build({ TERMITE_IDLE_SECONDS: '0' });
    const [state = ''] = readdirSync(join(rig.base, 'cache/termite/projects'));
    mkdirSync(join(rig.base, 'cache/termite/projects', state, 'parked'));
    writeFileSync(rig.path('part.h'), '#define PART "two"\n');
    assert.is(await rig.build(), 'two');
    await rig.waitForEnd(/./);
  });
});
