import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import type { FileSignature } from '../../executor/origin.ts';
import { suite } from '../harness/suite.ts';
import { type ExecutorRig, executorRig } from './executor-rig.ts';

const shell = realpathSync('/bin/sh');

/** An executor whose jobs read files outside the project where they are. */
async function localRig(seen: (signature: FileSignature, path: string) => FileSignature = (as) => as) {
  const rig = await executorRig();
  const { origin, store } = rig;
  origin.here = {
    storeDir: store.dir,
    fill: async () => false,
    signFile: async (path) => seen(await origin.signFile(path), path),
  };
  return rig;
}

const copied = (rig: ExecutorRig, path: string) => rig.store.holds(digestOf(readFileSync(path)));

suite('SandboxExecutor on the machine that jobs come from', (test) => {
  test('reads files outside the project where they are, and copies none', async () => {
    await using rig = await localRig();
    const { stdout } = await rig.sh(`cmp ${shell} /proc/$$/exe && sha256sum < ${shell}`);
    assert.is(stdout.split(' ')[0], createHash('sha256').update(readFileSync(shell)).digest('hex'));
    assert.ok(rig.origin.asked.signed.includes(shell));
    assert.equal(rig.origin.asked.digested, []);
    assert.not(copied(rig, shell));
  });

  test('gives no result when neither a file nor a copy of it is what the master knows', async () => {
    for (const change of [
      { ctimeNs: 1n },
      { mtimeNs: -1n },
      { inode: 1n },
      { sizeBytes: 1 },
    ] satisfies Partial<FileSignature>[]) {
      const env = realpathSync('/usr/bin/env');
      await using rig = await localRig((signature, path) =>
        path === env ? { ...signature, ...change } : signature,
      );
      rig.origin.trouble = (what) => {
        if (what === env && rig.origin.asked.digested.includes(env)) throw new Error('no copy either');
      };
      const result = await rig.execute(['/bin/sh', '-c', 'env > out || true']);
      assert.is(result.ok ? 'a result' : result.failure.reason, 'sandbox', Object.keys(change)[0]);
    }
  });

  test('takes a copy of a file that looks different here, as on a file system mounted since', async () => {
    const env = realpathSync('/usr/bin/env');
    await using rig = await localRig((signature, path) =>
      path === env ? { ...signature, inode: signature.inode + 1n } : signature,
    );
    const { stdout } = await rig.sh('env FOO=bar | grep FOO; exec env');
    assert.match(stdout, 'FOO=bar');
    assert.equal(rig.origin.asked.digested, [env]);
    assert.ok(copied(rig, env));
  });

  test('gives a job the error that the master had', async () => {
    await using rig = await localRig();
    rig.origin.trouble = (what) => {
      if (what.endsWith('/env')) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    };
    // It is asked for each time.
    const result = await rig.execute(['/bin/sh', '-c', 'env; env; echo $?']);
    // What may have been a private file is left to the machine itself.
    const limit = { kind: 'private-file', path: '/usr/bin/env' };
    assert.equal(result, { ok: false, failure: { reason: 'limit', limit } });
  });
});
