import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { Journal } from '../../master/journal.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';
import { assertUpToDate, manifestOf, workspaceRig } from '../rigs/workspace.ts';

suite('openWorkspace() after a power failure', (test) => {
  test('gives back what has lost its content, with its time', async () => {
    await using dir = await tempDir();
    await build(dir, ['made']);
    const made = dir.join('project/made');
    const { mtimeNs } = lstatSync(made, { bigint: true });
    loseContent(made);
    await using rig = await workspaceRig(dir.path, { bootId: 'second' });
    assert.is(readFileSync(made, 'utf8'), 'content of made');
    assert.is(lstatSync(made, { bigint: true }).mtimeNs, mtimeNs);
    assert.equal(rig.notices, []);
    await assertUpToDate(rig);
  });

  test('finds it under the name that it was given since', async () => {
    await using dir = await tempDir();
    await build(dir, ['made']);
    execFileSync('mv', [dir.join('project/made'), dir.join('project/moved')]);
    loseContent(dir.join('project/moved'));
    await using rig = await workspaceRig(dir.path, { bootId: 'second' });
    assert.is(readFileSync(join(rig.project, 'moved'), 'utf8'), 'content of made');
  });

  test('removes what is lost in the store as well, and all that was made after it', async () => {
    await using dir = await tempDir();
    await build(dir, ['before', 'made', 'after']);
    loseContent(dir.join('project/made'));
    const { hash } = digestOf(Buffer.from('content of made'));
    truncateSync(dir.join(`cas/${hash.slice(0, 2)}/${hash}`));
    await using rig = await workspaceRig(dir.path, { bootId: 'second' });
    assert.equal(readdirSync(rig.project), ['before']);
    assert.is(rig.notices.length, 1, `${rig.notices}`);
    await assertUpToDate(rig);
  });

  test('leaves what somebody has changed since, and what was only changed by a command', async () => {
    await using dir = await tempDir();
    dir.write('project/source', 'as it was');
    await build(dir, ['lost', 'edited', 'source']);
    loseContent(dir.join('project/lost'));
    const { hash } = digestOf(Buffer.from('content of lost'));
    rmSync(dir.join(`cas/${hash.slice(0, 2)}/${hash}`));
    dir.write('project/edited', 'by hand');
    await using rig = await workspaceRig(dir.path, { bootId: 'second' });
    assert.equal(readdirSync(rig.project).sort(), ['edited', 'source']);
    assert.is(readFileSync(join(rig.project, 'edited'), 'utf8'), 'by hand');
    assert.is(readFileSync(join(rig.project, 'source'), 'utf8'), 'content of source');
  });

  test('withdraws what a command had made that may not have ended', async () => {
    await using dir = await tempDir();
    await build(dir, ['ended', 'begun']);
    const log = readFileSync(dir.join('state/applied'));
    // As the disk has it when the last line has not reached it.
    writeFileSync(dir.join('state/applied'), log.subarray(0, log.lastIndexOf('{"ended"')));
    dir.write(`project/.termite-tmp-${lastId(log)}-2`, 'half');
    await using rig = await workspaceRig(dir.path, { bootId: 'second' });
    assert.equal(readdirSync(rig.project), ['ended']);
  });

  test('does not act on the journal of another boot', async () => {
    await using dir = await tempDir();
    await build(dir, ['made']);
    const digest = digestOf(Buffer.from('content of made'));
    // It was ended, but the disk does not know.
    new Journal(dir.join('state/journal'))
      .prepare({
        ...{ version: 1, id: 'old', boot: 'first', startedNs: 0n, removals: [], inPlace: [], opened: [] },
        changes: [{ path: 'cleaned', base: null, node: { type: 'file', digest, mode: 0o644, mtimeNs: 0n } }],
      })
      .begin();
    await using rig = await workspaceRig(dir.path, { bootId: 'second' });
    assert.equal(readdirSync(dir.join('state/journal')), []);
    assert.equal(readdirSync(rig.project), ['made']);
  });

  test('has nothing to compare once all is synced', async () => {
    await using dir = await tempDir();
    await build(dir, ['made']);
    {
      await using rig = await workspaceRig(dir.path, { bootId: 'first' });
      await rig.workspace.settle();
      assert.not(existsSync(dir.join('state/applied')));
    }
  });
});

/** One command for each file, in a workspace that ends without having synced anything. */
async function build(dir: TempDir, names: readonly string[]): Promise<void> {
  await using rig = await workspaceRig(dir.path, { bootId: 'first' });
  for (const path of names) {
    const node = rig.file(`content of ${path}`);
    const result = await rig.commit(manifestOf(rig.project, [{ path, node }]));
    assert.ok(result.ok, JSON.stringify(result));
  }
}

/** What delayed allocation leaves of a file: its name and its time. */
function loseContent(path: string): void {
  const before = `@${Number(lstatSync(path, { bigint: true }).mtimeNs / 1_000_000_000n)}`;
  const fraction = String(lstatSync(path, { bigint: true }).mtimeNs % 1_000_000_000n).padStart(9, '0');
  truncateSync(path);
  execFileSync('touch', ['-m', '-d', `${before}.${fraction}`, path]);
}

function lastId(log: Buffer): string {
  return [...log.toString().matchAll(/"ended":"(\w+)"/g)].at(-1)![1]!;
}
