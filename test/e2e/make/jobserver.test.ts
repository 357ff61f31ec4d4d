import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../../harness/suite.ts';
import { TermiteRig, termiteCommand } from '../../rigs/termite.ts';
import { pathWith } from '../../rigs/tools.ts';
import { sandboxObstacle } from '../../rigs/user.ts';

const subs = ['one', 'two', 'three'];
const perSub = 4;
const jobs = 3;

/** Each command writes down when it began and ended. */
const inner = `all: ${Array.from({ length: perSub }, (_, i) => `job${i}`).join(' ')}
job%:
	@date +%s%N > $@; sleep 0.15; date +%s%N >> $@; $(END)
`;
const outer = `all: ${subs.join(' ')}\n.PHONY: ${subs.join(' ')}\n${subs.join(' ')}: ; @$(MAKE) -C $@\n`;

/** `MAKEFLAGS` that ask for a kind of job server, by make. */
const servers: [name: string, path: () => string | undefined, flags: string][] = [
  ["the system's make", () => process.env['PATH'], ''],
  ['GNU make 4.4, a named pipe', () => pathWith('make-4.4'), ''],
  ['GNU make 4.4, a pipe', () => pathWith('make-4.4'), '--jobserver-style=pipe'],
];

async function rigWith(path: string | undefined, flags: string): Promise<TermiteRig> {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  const rig = new TermiteRig();
  rig.env['PATH'] = path;
  if (flags !== '') rig.env['MAKEFLAGS'] = flags;
  writeFileSync(join(rig.project, 'Makefile'), outer);
  for (const sub of subs) {
    mkdirSync(join(rig.project, sub));
    writeFileSync(join(rig.project, sub, 'Makefile'), inner);
  }
  return rig;
}

/** How many commands ran at the same time, at most. */
function greatestOverlap(rig: TermiteRig): number {
  const events = subs.flatMap((sub) =>
    readdirSync(join(rig.project, sub))
      .filter((name) => name.startsWith('job'))
      .flatMap((name) => {
        const [begin = 0n, end = 0n] = readFileSync(join(rig.project, sub, name), 'utf8')
          .split('\n')
          .map(BigInt);
        return [
          { at: begin, change: 1 },
          { at: end, change: -1 },
        ];
      }),
  );
  assert.is(events.length, 2 * subs.length * perSub);
  events.sort((a, b) => (a.at < b.at ? -1 : 1));
  let running = 0;
  return Math.max(...events.map(({ change }) => (running += change)));
}

for (const [name, path, flags] of servers) {
  suite(`The job server of make: ${name}`, (test) => {
    test('sub-makes share it: no more commands at once than -j allows', async () => {
      await using rig = await rigWith(path(), flags);
      await using _master = await rig.daemon(['master', '--slots', '8'], /ready/);
      const { status, stderr, report } = await rig.report(['make', '--quiet', `-j${jobs}`]);
      assert.equal([status, stderr], [0, '']);
      assert.equal([report.remote, report.local], [subs.length * perSub, subs.length]);
      const overlap = greatestOverlap(rig);
      // A busy machine may not come to start a third command while two of them sleep.
      assert.ok(overlap > 1 && overlap <= jobs, `${overlap} at once`);
    });

    for (const [what, end, status] of [
      ['works', ':', 0],
      ['fails', 'exit 1', 2],
      ['is killed', 'kill -KILL $$$$', 2],
    ] as const) {
      test(`around termite make gets each token back when a command ${what}`, async () => {
        await using rig = await rigWith(path(), flags);
        const around = join(rig.base, 'around.mk');
        // make itself counts its tokens at the end, and complains.
        writeFileSync(around, `all: ; +@${termiteCommand.join(' ')} make --quiet -k END='${end}'\n`);
        const outcome = await rig.run(['make', '-k', `-j${jobs}`, '-f', around]);
        assert.is(outcome.status, status, outcome.stderr);
        assert.not.match(outcome.stderr, /INTERNAL|jobserver|warning/);
        assert.is(greatestOverlap(rig) <= jobs, true);
      });
    }

    test('is not seen by a make hidden in a command, which builds one thing at a time', async () => {
      await using rig = await rigWith(path(), flags);
      writeFileSync(join(rig.project, 'Makefile'), 'all: ; @./hidden\n');
      writeFileSync(
        join(rig.project, 'hidden'),
        `#!/bin/sh\nfor dir in ${subs.join(' ')}; do make -s -C $dir || exit; done\n`,
        {
          mode: 0o755,
        },
      );
      const { status, stderr, report } = await rig.report(['make', '--quiet', `-j${jobs}`]);
      assert.equal([status, stderr, report.remote], [0, '', 1]);
      assert.is(greatestOverlap(rig), 1);
    });
  });
}
