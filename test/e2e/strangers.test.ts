import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { TermiteRig, termiteProgram } from '../rigs/termite.ts';
import { asUser, availableUsers, ordinaryId } from '../rigs/user.ts';

const dist = join(import.meta.dirname, '../..');

/** Asks an executor or a coordinator for all that it gives, with and without a token, and says what came of it. */
const knock = `
  import { Token } from '${dist}/runtime/token.js';
  import { HttpClient } from '${dist}/runtime/http-client.js';
  const [url, dir] = process.argv.slice(2);
  const client = new HttpClient(url, Token.open(dir));
  for (const [method, path] of [['GET', '/executors'], ['POST', '/executors'], ['GET', '/status'], ['POST', '/jobs']]) {
    const answer = client.request({ method, path, ...(method === 'POST' ? { json: {} } : {}) });
    console.log(await answer.then(() => 'let in', (error) => error.code));
  }
  console.log(await fetch(url.replace('https:', 'http:') + '/executors').then(() => 'let in', () => 'refused'));
  await client.close();
`;

suite("An ordinary user beside root's daemons", (test) => {
  test('gets nothing from them, adds nothing to them, and is told why', async () => {
    if (!availableUsers().includes('root')) skip('needs to be root');
    await using rig = new TermiteRig();
    await using coordinator = await rig.daemon(['coordinator', '--listen', '127.0.0.1:0'], /ready/);
    const [url] = await coordinator.said(/https:\S+/);
    await using executor = await rig.daemon(['executor', '--coordinator', url, '--name', 'roots'], /ready/);
    const [executorUrl] = await executor.said(/https:\S+/);
    await using dir = await tempDir();
    const home = dir.path;
    dir.write('knock.mjs', knock);
    chownSync(home, ordinaryId, ordinaryId);
    const run = (args: readonly string[]) =>
      rig.run(
        asUser('ordinary', ['env', `HOME=${home}`, `XDG_CACHE_HOME=${home}`, process.execPath, ...args]),
      );
    for (const each of [url, executorUrl]) {
      const { stdout, stderr } = await run([join(home, 'knock.mjs'), each, join(home, 'termite')]);
      assert.equal(stdout.trim().split('\n'), [...Array(4).fill('unauthorized'), 'refused'], stderr);
    }
    const theirs = await run([
      '-e',
      "require('fs').readFileSync(process.argv[1])",
      join(rig.env.XDG_CACHE_HOME!, 'termite/token'),
    ]);
    assert.match(theirs.stderr, 'EACCES');
    const fake = await rig.run([
      ...['timeout', '3', ...asUser('ordinary', ['env', `XDG_CACHE_HOME=${home}`, process.execPath])],
      ...[termiteProgram, 'executor', '--coordinator', url, '--name', 'fake', '--slots', '99'],
    ]);
    assert.match(
      fake.stderr,
      /cannot reach the coordinator: .*does not have the token in "\/.*\/termite\/token"/,
    );
    assert.match(fake.stderr, 'Start coordinator, executors and masters as one user');
    writeFileSync(join(rig.project, 'Makefile'), 'out:\n\tsort </dev/null >$@\n');
    const built = await rig.report(['make'], { env: { ...rig.env, TERMITE_COORDINATOR: url } });
    assert.equal([built.status, built.report.remote], [0, 1], built.stderr);
  });
});
