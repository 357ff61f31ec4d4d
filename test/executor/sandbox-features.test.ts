import { chmodSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { checkSandboxFeatures, suggestWayOut } from '../../executor/sandbox-features.ts';
import { AppError } from '../../runtime/app-error.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

async function machine(settings: Record<string, string> = {}) {
  const dir = await tempDir();
  const fuse = dir.write('fuse', '');
  for (const [path, value] of Object.entries(settings)) dir.write(`sys/${path}`, `${value}\n`);
  return {
    dir,
    files: { fuse, sysctl: dir.join('sys'), isRoot: false },
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

function problemOf(files: Parameters<typeof checkSandboxFeatures>[0]): { code: string; text: string } {
  try {
    checkSandboxFeatures(files);
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, text: `${error.message}\n${error.hint}` };
    throw error;
  }
  return { code: 'none', text: '' };
}

suite('checkSandboxFeatures()', (test) => {
  test('finds nothing wrong with a machine that has everything', async () => {
    await using rig = await machine({
      'user/max_user_namespaces': '1000',
      'kernel/unprivileged_userns_clone': '1',
    });
    assert.is(problemOf(rig.files).code, 'none');
  });

  test('says what to do when there is no /dev/fuse', async () => {
    await using rig = await machine();
    const { code, text } = problemOf({ ...rig.files, fuse: rig.dir.join('absent') });
    assert.is(code, 'no-fuse');
    assert.match(text, 'there is no ');
    assert.match(text, 'modprobe fuse');
  });

  test('says what to do when /dev/fuse may not be opened', async () => {
    if (process.getuid?.() === 0) skip('root may open everything');
    await using rig = await machine();
    chmodSync(rig.files.fuse, 0);
    const { code, text } = problemOf(rig.files);
    assert.is(code, 'no-fuse');
    assert.match(text, `sudo chmod 666 ${rig.files.fuse}`);
  });

  test('names the setting that switches user namespaces off, unless it is root', async () => {
    for (const [path, name] of [
      ['user/max_user_namespaces', 'user.max_user_namespaces'],
      ['kernel/unprivileged_userns_clone', 'kernel.unprivileged_userns_clone'],
    ] as const) {
      await using rig = await machine({ [path]: '0' });
      const { code, text } = problemOf(rig.files);
      assert.is(code, 'no-user-namespaces');
      assert.match(text, `sudo sysctl ${name}=`);
      assert.is(problemOf({ ...rig.files, isRoot: true }).code, 'none');
    }
  });
});

suite('suggestWayOut()', (test) => {
  test('knows what AppArmor and containers forbid, and nothing of other problems', async () => {
    await using rig = await machine({ 'kernel/apparmor_restrict_unprivileged_userns': '1' });
    const message = 'unshare: Operation not permitted';
    assert.match(suggestWayOut(message, rig.files) ?? '', 'apparmor_restrict_unprivileged_userns=0');
    assert.match(suggestWayOut(message, { ...rig.files, isRoot: true }) ?? '', 'container');
    assert.is(suggestWayOut('listen: Address already in use', rig.files), undefined);
  });
});
