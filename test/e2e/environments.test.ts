import * as assert from 'uvu/assert';
import { ciRun, ciSystems, terminals, type Variables } from '../fixtures/environments.ts';
import { skip, suite } from '../harness/suite.ts';
import { CacheRig } from '../rigs/cache.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** Four compiles, two scripts, an archive and a link. */
const files = {
  Makefile: `all: program
program: main.o libpart.a version.o
	$(CC) -o $@ main.o version.o libpart.a
libpart.a: one.o two.o
	$(AR) rcD $@ one.o two.o
version.c: version.sh
	sh version.sh >$@
words.h: words.txt
	sed 's/.*/#define &/' words.txt | sort >$@
main.o one.o two.o: words.h
clean:
	sh -c 'rm -f program *.o *.a version.c words.h'
`,
  'version.sh': 'echo "const char version[] = \\"1.$MINOR\\";"\n',
  'words.txt': 'WORD\n',
  'main.c': '#include "words.h"\nint main(void) { return 0; }\n',
  'one.c': '#include "words.h"\nint one;\n',
  'two.c': '#include "words.h"\nint two;\n',
};
const commandCount = 8;

/** A project that is built again and again, each time from nothing and in another environment. */
class EnvironmentRig extends CacheRig {
  /** @returns how many commands were hits and how many ran, of those that a clean build consists of */
  async buildIn(variables: Variables, ...args: string[]): Promise<[hits: number, ran: number]> {
    await this.run(['make', '-s', 'clean']);
    const { HOME, PATH, XDG_CACHE_HOME, TERMITE_IDLE_SECONDS } = this.env;
    // Nothing of the environment of this test run.
    const none = Object.fromEntries(Object.keys(this.env).map((name) => [name, undefined]));
    const env = { ...none, HOME, PATH, XDG_CACHE_HOME, TERMITE_IDLE_SECONDS, ...variables };
    const { status, stderr, report } = await this.report(['make', '-j2', ...args], { env });
    assert.is(status, 0, stderr);
    assert.equal([report.commands, report.local], [commandCount, 0], stderr);
    return [report.cached, report.remote];
  }

  /** Demands hits of all commands, and says of others why they were none. */
  async buildFromCache(name: string, variables: Variables): Promise<void> {
    const [hits, ran] = await this.buildIn(variables);
    if (ran === 0 && hits === commandCount) return;
    const records = (await this.termite(['log', '--json'])).stdout.trim().split('\n');
    const misses = records.map((line) => JSON.parse(line)).filter(({ where }) => where !== 'cache');
    const reasons = misses.map(({ line, reason, differences }) => ({ line, reason, differences }));
    assert.equal(reasons, [], `${name}: ${ran} of ${commandCount} ran`);
  }
}

async function withEnvironmentRig(body: (rig: EnvironmentRig) => Promise<void>): Promise<void> {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  await using rig = new EnvironmentRig('root');
  rig.write(files);
  await using _master = await rig.daemon(['master'], /ready/);
  await body(rig);
}

const terminal = Object.values(terminals)[0]!;

suite('A build that is repeated', (test) => {
  test('in another terminal is answered from the cache', async () => {
    await withEnvironmentRig(async (rig) => {
      assert.equal(await rig.buildIn(terminal), [0, commandCount]);
      for (const [name, variables] of Object.entries(terminals)) await rig.buildFromCache(name, variables);
    });
  });

  test('by a CI system is answered from what its last run has left', async () => {
    await withEnvironmentRig(async (rig) => {
      for (const [name, system] of Object.entries(ciSystems)) {
        await rig.buildIn(ciRun(system, 1));
        await rig.buildFromCache(name, ciRun(system, 2));
      }
    });
  });

  test('with another value of what make exports, or of a variable that nobody knows, runs what can see it', async () => {
    await withEnvironmentRig(async (rig) => {
      await rig.buildIn(terminal, 'MINOR=1');
      assert.equal(await rig.buildIn(terminal, 'MINOR=1'), [commandCount, 0]);
      await rig.buildIn({ ...terminal, MINOR: '1' });
      const scripts = (await rig.buildIn({ ...terminal, MINOR: '2' }))[1];
      // Both scripts, the compile of what one of them has made, and the link; no other compile looks at it.
      assert.ok(scripts >= 3 && scripts <= 4, `${scripts} ran`);
      assert.match(rig.read('version.c'), '1.2');
      await rig.buildIn(terminal, 'MINOR=3');
      assert.match(rig.read('version.c'), '1.3');
    });
  });

  test('with another value of a variable of the list that the makefile exports runs what can see it', async () => {
    await withEnvironmentRig(async (rig) => {
      const exported = `export TERM_PROGRAM = $(PROGRAM)\n${files.Makefile}`;
      rig.write({ Makefile: exported, 'version.sh': 'echo "int $TERM_PROGRAM;"\n' });
      await rig.buildIn(terminal, 'PROGRAM=one');
      assert.match(rig.read('version.c'), 'int one');
      await rig.buildIn(terminal, 'PROGRAM=two');
      assert.match(rig.read('version.c'), 'int two');
    });
  });
});
