import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig, termiteProgram } from '../rigs/termite.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** Writes down when it began and ended, in nanoseconds. */
const timed = (name: string) => `date +%s%N >times/${name}; sleep 0.2; date +%s%N >>times/${name}`;

/** How many of the intervals in files of that folder overlap at most; those that did not end are left out. */
function mostAtOnce(dir: string): number {
  const edges = readdirSync(dir).flatMap((name) => {
    const [start = '', end] = readFileSync(join(dir, name), 'latin1').trim().split('\n');
    if (end === undefined) return [];
    return [
      { at: BigInt(start), change: 1 },
      { at: BigInt(end), change: -1 },
    ];
  });
  edges.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.change - b.change));
  let running = 0;
  return Math.max(...edges.map(({ change }) => (running += change)));
}

suite('termite make below the jobserver of another make', (test) => {
  for (const ending of ['all', 'fails', 'dies', 'local-fails', 'local-dies', 'impatient']) {
    test(
      `neither loses nor adds a token: ${ending}`,
      async () => {
        const obstacle = sandboxObstacle();
        if (obstacle) skip(obstacle, 'fuse');
        await using rig = new TermiteRig('root');
        mkdirSync(join(rig.project, 'times'));
        writeFileSync(
          join(rig.project, '.termite-localrc'),
          '[{ "Regexp": "times/", "Local": true, "Recurse": true }, { "Regexp": "local", "Local": true }]',
        );
        const names = [1, 2, 3, 4, 5].map((number) => `t${number}`).join(' ');
        writeFileSync(
          join(rig.project, 'inner.mk'),
          [
            `all: ${names} remote`,
            `${names}: ; @${timed('$(TAG)-$@')}`,
            'remote: ; @uname >$(TAG)-$@',
            'fails: all ; @uname >x; exit 3',
            'dies: all ; @uname >x; kill -KILL $$$$',
            'local-fails: all ; @: local; exit 3',
            'local-dies: all ; @: local; kill -KILL $$$$',
            // make is told to end while all its tokens are in use.
            'impatient: all stop\nstop: ; @sleep 0.1; : times/; kill -TERM $$PPID; sleep 1',
          ].join('\n'),
        );
        writeFileSync(
          join(rig.project, 'Makefile'),
          [
            'all: first second plain',
            `first: ; +-@'${process.execPath}' '${termiteProgram}' make --quiet -k -f inner.mk ${ending} TAG=first`,
            `second: ; +-@'${process.execPath}' '${termiteProgram}' make --quiet -k -f inner.mk all TAG=second`,
            `plain: p1 p2 p3\np1 p2 p3: ; @${timed('plain-$@')}`,
          ].join('\n'),
        );
        // At its end make itself complains about tokens that are missing, or that nobody has given out.
        const { status, stderr } = await rig.run(['make', '-j3']);
        assert.is(status, 0, stderr);
        assert.not.match(stderr, /INTERNAL|jobserver|tokens/);
        assert.ok(mostAtOnce(join(rig.project, 'times')) <= 3);
        if (ending !== 'impatient') assert.is(readdirSync(join(rig.project, 'times')).length, 13);
      },
      { deadlineMs: 60_000 },
    );
  }
});
