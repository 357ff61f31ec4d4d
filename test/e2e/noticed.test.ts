import { rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle, type User } from '../rigs/user.ts';

/** What a sandbox cannot show shows in where a command runs: never in what it does. */
for (const user of availableUsers()) {
  suite(`Limits of the sandbox (${user})`, (test) => {
    test('a lock, a server and a process of another command are those of this machine', async () => {
      await using rig = rigFor(user);
      await using server = await listening(
        createHttpServer((_request, response) => response.end('served\n')),
      );
      const { port } = server.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}/`;
      const fetch = `import urllib.request; print(urllib.request.urlopen("${url}").read().decode(), end="")`;
      const lines: [string, string, string][] = [
        ['lock', 'perl -e \'open F, ">>shared"; flock F, 2; print "locked\\n"\'', 'locked\n'],
        ['network', `/usr/bin/python3 -c '${fetch}' || echo none`, 'served\n'],
      ];
      // Others may not ask whether it is there.
      if (user === 'root')
        lines.push(['hidden', `kill -0 ${process.pid} && echo there || echo gone`, 'there\n']);
      writeFileSync(join(rig.project, 'shared'), '');
      rig.give(rig.project);
      for (const round of ['first', 'again']) {
        for (const [kind, line, stdout] of lines) {
          const outcome = await rig.report(['run', 'sh', '-c', line]);
          assert.equal([outcome.stdout, outcome.status], [stdout, 0], `${round}: ${line}: ${outcome.stderr}`);
          assert.equal(outcome.report.localByReason, { [kind]: 1 }, `${round}: ${line}`);
        }
      }
    });

    test('a socket in the project is there for who asks for it, and for who lists its folder', async () => {
      await using rig = rigFor(user);
      const path = join(rig.project, 'door');
      const lines = ['test -S door && echo there || echo gone', 'ls; echo listed'];
      const run = async (line: string) => (await rig.report(['run', 'sh', '-c', line])).stdout;
      assert.equal([await run(lines[0]!), await run(lines[1]!)], ['gone\n', 'listed\n']);
      const server = await listening(createServer(), path);
      assert.equal([await run(lines[0]!), await run(lines[1]!)], ['there\n', 'door\nlisted\n']);
      await server[Symbol.asyncDispose]();
      assert.equal([await run(lines[0]!), await run(lines[1]!)], ['gone\n', 'listed\n']);
    });

    test('a name in /tmp counts also for a result that was kept when it was not there', async () => {
      await using rig = rigFor(user);
      const path = `/tmp/termite-noticed-${process.pid}`;
      const lines = [`test -e ${path} && echo there || echo gone`, `cat ${path} 2>/dev/null || echo none`];
      const both = async () => {
        const outcomes = [];
        for (const line of lines) outcomes.push(await rig.report(['run', 'sh', '-c', line]));
        return outcomes;
      };
      assert.equal(
        (await both()).map(({ stdout }) => stdout),
        ['gone\n', 'none\n'],
      );
      const kept = await both();
      assert.equal(
        kept.map(({ stdout, report }) => [stdout, report.cached]),
        [
          ['gone\n', 1],
          ['none\n', 1],
        ],
      );
      writeFileSync(path, 'content\n');
      try {
        assert.equal(
          (await both()).map(({ stdout }) => stdout),
          ['there\n', 'content\n'],
        );
      } finally {
        rmSync(path);
      }
    });
  });
}

function rigFor(user: User): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  return new TermiteRig(user);
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
