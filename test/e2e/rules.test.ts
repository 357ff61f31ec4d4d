import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle, type User } from '../rigs/user.ts';

/** A project with these rules and this makefile. */
function rigWith(rules: object[], makefile: string, user: User = availableUsers()[0]!): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  const rig = new TermiteRig(user);
  writeFileSync(join(rig.project, '.termite-localrc'), JSON.stringify(rules));
  writeFileSync(join(rig.project, 'Makefile'), makefile);
  rig.give(rig.project);
  return rig;
}

/** `termite make`, with what became of its commands: `[cached, remote, local]`. */
async function build(rig: TermiteRig, options: Parameters<TermiteRig['report']>[1] = {}) {
  const outcome = await rig.report(['make', '-j2'], options);
  const { cached, remote, local } = outcome.report;
  return { ...outcome, where: [cached, remote, local] };
}

/** A server of this machine that says "hello" to everybody. */
async function greeter() {
  const server = createServer((socket) => socket.end('hello\n'));
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  };
}

for (const user of availableUsers()) {
  suite(`Rules as ${user} user`, (test) => {
    test('"Network" gives the network of the machine, and its results are never kept', async () => {
      await using server = await greeter();
      const makefile = `SHELL = /bin/bash\nall: ; cat < /dev/tcp/127.0.0.1/${server.port}\n`;
      await using without = rigWith([], makefile, user);
      const here = await build(without);
      assert.equal(
        [here.status, here.where, here.report.localByReason],
        [0, [0, 0, 1], { network: 1 }],
        here.stderr,
      );
      await using rig = rigWith([{ Regexp: '/dev/tcp', Network: true }], makefile, user);
      for (let round = 0; round < 2; round++) {
        const { status, stdout, stderr, where } = await build(rig);
        assert.is(status, 0, stderr);
        assert.match(stdout, /^hello$/m);
        assert.equal(where, [0, 1, 0]);
      }
      assert.match((await rig.termite(['why'])).stdout, /not kept: it was allowed to use the network/);
    });

    test('decide about trifles as well, which without rules nobody is asked about', async () => {
      const makefile = 'all: ; touch a; mv a b && mkdir -p c\n\ttouch d\n\tcat b d > e\n';
      await using without = rigWith([], makefile, user);
      assert.equal((await build(without)).where, [0, 1, 0]);
      await using rig = rigWith([{ Regexp: 'mv', Local: true, Reason: 'mine' }], makefile, user);
      const { where, report } = await build(rig);
      assert.equal([where, report.localByRule], [[0, 1, 2], { mine: 1 }]);
      await using sent = rigWith([{ Regexp: '', Local: false }], makefile, user);
      assert.equal((await build(sent)).where, [0, 3, 0]);
      for (const { project } of [without, rig, sent])
        assert.equal(
          readdirSync(project).filter((name) => name.length === 1),
          ['b', 'c', 'd', 'e'],
        );
    });

    test('"Timeout" ends a command with all that it has started, and runs it locally', async () => {
      // Who is master is known where make is only: elsewhere this takes long.
      const makefile = 'all: ; test -n "$$TERMITE_SOCKET" || sleep 1000; echo done > out\n';
      const rule = { Regexp: 'sleep', Timeout: 0.5, Reason: 'it may wait for a user' };
      await using rig = rigWith([rule], makefile, user);
      const before = process.hrtime.bigint();
      const { status, stderr, report } = await build(rig);
      assert.is(status, 0, stderr);
      assert.ok(process.hrtime.bigint() - before < 60_000_000_000n);
      assert.is(readFileSync(join(rig.project, 'out'), 'utf8'), 'done\n');
      assert.equal([report.localByReason, report.fallbacks], [{ 'timed-out': 1 }, 1]);
      assert.match(stderr, /termite: running locally: it ran longer than 500 ms: test -n/);
    });
  });
}

suite('Rules', (test) => {
  test('"Stdin": "empty" makes no difference between one who may read and one who may not', async () => {
    await using rig = rigWith([{ Regexp: '^cat', Stdin: 'empty' }], 'all: ; cat > out\n\tcat out > copy\n');
    assert.equal((await build(rig, { input: 'lost\n' })).where, [0, 2, 0]);
    assert.is(readFileSync(join(rig.project, 'out'), 'utf8'), '');
  });

  test('"Cache": "failures" keeps also what fails, as long as the rule says so', async () => {
    const makefile = 'all: ; grep -q found Makefile.missing; cat Makefile; exit 3\n';
    const rules = join('.termite-localrc');
    await using rig = rigWith([{ Regexp: 'exit 3', Cache: 'failures' }], makefile);
    const first = await build(rig);
    const second = await build(rig);
    assert.equal(
      [first.where, second.where],
      [
        [0, 1, 0],
        [1, 0, 0],
      ],
      second.stderr,
    );
    assert.equal([second.status, second.stdout], [first.status, first.stdout]);
    assert.is(second.report.failed, 1);
    const { report } = await rig.report(['make', '--verify']);
    assert.equal([report.remote, report.verified, report.mismatched], [1, 1, 0]);
    writeFileSync(join(rig.project, rules), '[]');
    // Without the rule it is not believed: it runs here.
    assert.equal((await build(rig)).where, [0, 0, 1]);
  });

  test('"Env" decides which variables count, and which the command gets', async () => {
    const makefile = 'all: ; @env | grep -E "^(ID|NEVER|LANGUAGE|TERM)=" | sort > out; test -s out\n';
    const env = { Ignore: ['ID'], Count: ['TERM'], Unset: ['NEVER'], Set: { LANGUAGE: 'C' } };
    await using rig = rigWith([{ Regexp: 'env', Env: env }], makefile);
    const run = async (changes: Record<string, string>) => {
      const wanted = { ...rig.env, ID: '1', NEVER: '1', LANGUAGE: 'de', TERM: 'vt100', ...changes };
      const { status, stderr, where } = await build(rig, { env: wanted });
      assert.is(status, 0, stderr);
      return [...where, readFileSync(join(rig.project, 'out'), 'utf8')];
    };
    assert.equal(await run({}), [0, 1, 0, 'ID=1\nLANGUAGE=C\nTERM=vt100\n']);
    // Its output stands there now, which makes this another command.
    assert.equal(await run({}), [0, 1, 0, 'ID=1\nLANGUAGE=C\nTERM=vt100\n']);
    assert.equal(await run({ ID: '2', NEVER: '2', LANGUAGE: 'fr' }), [
      1,
      0,
      0,
      'ID=1\nLANGUAGE=C\nTERM=vt100\n',
    ]);
    assert.equal(await run({ TERM: 'xterm' }), [0, 1, 0, 'ID=1\nLANGUAGE=C\nTERM=xterm\n']);
  });

  test('what a rule wants of stdin and environment holds where make is as well', async () => {
    const rule = { Regexp: '', Local: true, Stdin: 'empty', Env: { Unset: ['GONE'], Set: { GIVEN: 'x' } } };
    const makefile = 'all: ; @cat; echo "$$GONE $$GIVEN" | cat\n\t@cat\n\t@printenv GIVEN\n';
    await using rig = rigWith([rule], makefile);
    const options = { input: 'lost\n', env: { ...rig.env, GONE: '1' } };
    assert.equal((await build(rig, options)).stdout, ' x\nx\n');
    const script = 'cat; echo "$GONE $GIVEN"';
    assert.equal((await rig.termite(['run', 'sh', '-c', script], options)).stdout, ' x\n');
  });

  test('"Reason" is told by the report, "termite log" and "termite why"', async () => {
    const rules = [
      { Regexp: '\\bhere', Local: true, Reason: 'it opens a window' },
      { Regexp: 'there', Cache: false, Reason: 'it tells the time' },
    ];
    await using rig = rigWith(rules, 'all: ; touch here\n\texpr 1 > there\n');
    const { report } = await build(rig);
    assert.equal(report.localByRule, { 'it opens a window': 1 });
    const log = (await rig.termite(['log'])).stdout.split('\n');
    assert.match(log[0]!, /local .*touch here {2}\(it opens a window\)$/);
    assert.match((await rig.termite(['why', '#1'])).stdout, /\nby the rule in line 1: it opens a window\n/);
    assert.match(
      (await rig.termite(['why', '#2'])).stdout,
      /\nby the rule in line 1: it tells the time\nits result is not kept: a rule says so\n/,
    );
    assert.ok(existsSync(join(rig.project, 'there')));
  });
});
