import * as assert from 'uvu/assert';
import { ExecutorClient } from '../../executor/executor-client.ts';
import type { Manifest } from '../../protocol/job.ts';
import { HttpServer } from '../../runtime/http-server.ts';
import { Scope } from '../../runtime/scope.ts';
import { testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';
import { DispatcherRig, succeeding } from './dispatcher-rig.ts';
import { runRequest } from './run-request.ts';

const bad: [what: string, part: object][] = [
  ['an exit status of -1', { status: { kind: 'exit', code: -1 } }],
  ['a mode of 2^40', { changes: [{ path: 'a', base: null, node: { type: 'fifo', mode: 2 ** 40 } }] }],
  ['an empty link target', { changes: [{ path: 'a', base: null, node: { type: 'symlink', target: '' } }] }],
  [
    'a change below a symlink',
    {
      changes: [
        { path: 'a', base: null, node: { type: 'symlink', target: '/etc' } },
        { path: 'a/passwd', base: null, node: null },
      ],
    },
  ],
];

/** A dispatcher, and an executor over HTTP that answers every job with what is wrong in one respect. */
async function rigWith(part: object) {
  const rig = new DispatcherRig();
  const value = { ...(await rig.manifest()), ...part } as Manifest;
  const scope = new Scope();
  const handle = () => ({ json: { ok: true, value } });
  const server = scope.use(await HttpServer.listen([{ method: 'POST', path: '/jobs', handle }], testToken));
  const far = scope.use(new ExecutorClient('far', server.url, testToken));
  rig.addExecutor('far', (job, signal) => far.execute(job, { signal }), { slotCount: 2 });
  return Object.assign(rig, { [Symbol.asyncDispose]: () => scope.close() });
}

suite('Dispatcher, given a result that makes no sense', (test) => {
  for (const [what, part] of bad) {
    test(`takes it for a failure of the executor: ${what}`, async () => {
      await using rig = await rigWith(part);
      const { told } = await rig.dispatch(runRequest('gcc'));
      assert.equal(told, ['local']);
      assert.match(
        rig.notices().join(),
        /executor far was lost: it gave a result that makes no sense: [\w.]+: /,
      );
      assert.equal([rig.session.report().fallbacks, rig.workspace.committed.length], [1, 0]);
    });
  }

  test('has another executor try it', async () => {
    await using rig = await rigWith(bad[0]![1]);
    rig.addExecutor('near', succeeding(rig.manifest()));
    const { told } = await rig.dispatch(runRequest('gcc'));
    assert.equal(told, ['committing', 'exit 0']);
    assert.equal(
      rig.jobs.map(({ executor }) => executor),
      ['far', 'near'],
    );
  });
});
