import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runProgram } from '../../runtime/child-process.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

/** What became of the jobs of a scenario, where `dir` has `sizeMiB`. */
async function run(scenario: string, sizeMiB: number): Promise<unknown[]> {
  if (process.getuid?.() !== 0) skip('only root may mount a file system that is full');
  await using dir = await tempDir();
  const script = 'mount -t tmpfs -o size="$0"m none "$1" && exec "$2" "$3" "$1" "$4"';
  const child = join(import.meta.dirname, 'disk-full.child.js');
  const args = ['--mount', 'sh', '-c', script, `${sizeMiB}`, dir.path, process.execPath, child, scenario];
  const { stdout, stderr } = await runProgram('unshare', args);
  const lines = stdout.toString().split('\n').filter(Boolean);
  assert.ok(lines.length > 0, stderr.toString());
  return lines.map((line) => JSON.parse(line));
}

const good = { kind: 'exit', code: 0 };
const full = { reason: 'disk-full', executor: 'rig' };

suite('SandboxExecutor on a full disk', (test) => {
  test('fails with `disk-full` for what does not fit the store, and goes on with what does', async () => {
    assert.equal(await run('store', 6), [good, full, full, good]);
  });

  test('fails with `disk-full` when the command had no space', async () => {
    assert.equal(await run('jobs', 24), [good, full, good]);
  });

  test('fails with `disk-full` for what was written in memory and does not fit', async () => {
    assert.equal(await run('everything', 24), [good, full, full, good]);
  });
});
