import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { visiblePlace } from '../rigs/places.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle, type User } from '../rigs/user.ts';

/** What a sandbox cannot show shows in where a command runs: never in what it does. */
for (const user of availableUsers()) {
  suite(`Limits of the sandbox (${user})`, (test) => {
    test('a lock, a server and a process of another command are those of this machine', async () => {
      await using rig = rigFor(user);
      await using server = await listening(createHttpServer((_request, response) => response.end('served')));
      const { port } = server.address() as AddressInfo;
      const fetch = `import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:${port}/").read().decode())`;
      const lines: Record<string, string> = {
        lock: 'perl -e \'open F, ">>shared"; flock F, 2; print "locked\\n"\'',
        network: `/usr/bin/python3 -c '${fetch}' || echo none`,
        // Of others' processes only root may ask whether they are there.
        ...(user === 'root' && { hidden: `kill -0 ${process.pid} && echo there || echo gone` }),
      };
      const printed = ['locked', 'served', ...(user === 'root' ? ['there'] : [])].join('\n');
      writeFileSync(join(rig.project, 'shared'), '');
      rig.give(rig.project);
      const kinds = Object.fromEntries(Object.keys(lines).map((kind) => [kind, 1]));
      for (const round of ['first', 'again']) {
        const { stdout, report, stderr } = await build(rig, Object.values(lines));
        assert.equal([stdout, report.localByReason], [`${printed}\n`, kinds], `${round}: ${stderr}`);
      }
    });

    test('a socket in the project is there for who asks for it, and for who lists its folder', async () => {
      await using rig = rigFor(user);
      const run = async () => {
        const outcome = await build(rig, ['ls door 2>/dev/null || echo gone', 'ls | grep -c door || :']);
        return [outcome.stdout, outcome.report.remote + outcome.report.cached];
      };
      assert.equal(await run(), ['gone\n0\n', 2]);
      const server = await listening(createServer(), join(rig.project, 'door'));
      assert.equal(await run(), ['door\n1\n', 0]);
      await server[Symbol.asyncDispose]();
      assert.equal((await run())[0], 'gone\n0\n');
    });

    test('a socket beside the project is there for who asks for it; its name is no secret', async () => {
      const below = visiblePlace(user);
      if (below === undefined) skip('this user can reach no folder that sandboxes show');
      await using rig = rigFor(user, { below });
      chmodSync(rig.base, 0o755);
      const place = join(rig.base, 'beside');
      mkdirSync(place);
      const run = async () => {
        const outcome = await build(rig, [`ls ${place}/door 2>/dev/null || echo gone`, `ls -A ${place}`]);
        return [outcome.stdout, outcome.report.localByReason];
      };
      assert.equal(await run(), ['gone\n', {}]);
      const server = await listening(createServer(), join(place, 'door'));
      assert.equal(await run(), [`${place}/door\ndoor\n`, { hidden: 1 }]);
      await server[Symbol.asyncDispose]();
      assert.is((await run())[0], 'gone\n');
    });

    test('names that a command makes up reach the terminal spelt out and cut', async () => {
      await using rig = rigFor(user);
      const deep = 'x'.repeat(200);
      const lines = [
        `printf x >"$HOME/$(printf 'a\\033[2J\\ntermite: all is well')"`,
        `cd "$HOME" && for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do mkdir -p ${deep} && cd ${deep}; done; echo x >y`,
      ];
      const { stderr, report } = await build(rig, lines);
      assert.ok((report.localByReason['left-outside'] ?? 0) > 0, stderr);
      assert.ok(!stderr.includes('\x1b') && !stderr.includes('\ntermite: all'), JSON.stringify(stderr));
      assert.ok(
        stderr.split('\n').every((line) => line.length < 1100),
        stderr,
      );
      const why = await rig.termite(['why', 'printf']);
      assert.ok(!why.stdout.includes('\x1b'), JSON.stringify(why.stdout));
    });

    test('a name in /tmp counts also for a result that was kept when it was not there', async () => {
      await using rig = rigFor(user);
      const path = `/tmp/termite-noticed-${process.pid}`;
      const lines = [`ls ${path} 2>/dev/null || echo gone`, `cat ${path} 2>/dev/null || echo none`];
      assert.is((await build(rig, lines)).stdout, 'gone\nnone\n');
      const kept = await build(rig, lines);
      assert.equal([kept.stdout, kept.report.cached], ['gone\nnone\n', 2], kept.stderr);
      writeFileSync(path, 'content\n');
      try {
        assert.is((await build(rig, lines)).stdout, `${path}\ncontent\n`);
      } finally {
        rmSync(path);
      }
    });
  });
}

/** Builds, one after the other, commands that are nothing else. */
async function build(rig: TermiteRig, lines: readonly string[]) {
  const recipe = lines.map((line) => `\t@${line.replaceAll('$', '$$$$')}\n`).join('');
  writeFileSync(join(rig.project, 'Makefile'), `all:\n${recipe}.PHONY: all\n`);
  const outcome = await rig.report(['make']);
  assert.is(outcome.status, 0, outcome.stderr);
  return outcome;
}

function rigFor(user: User, options: { below?: string } = {}): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  return new TermiteRig(user, options);
}

async function listening(server: Server, path?: string): Promise<Server & AsyncDisposable> {
  await new Promise<void>((resolve) => {
    if (path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  return Object.assign(server, {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  });
}
