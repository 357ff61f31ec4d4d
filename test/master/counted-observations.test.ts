import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { countedObservations } from '../../master/counted-observations.ts';
import { CountFlag } from '../../master/path-state.ts';
import type { TimeUse } from '../../master/time-use.ts';
import { type Change, ObservationFlag, type TreeNode } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';

const { found, absent, read, listed, rewritten } = ObservationFlag;
const { overwritten, compared, aged, exactTime } = CountFlag;
const startedNs = 2_000_000_000_000_000_000n;

function file(mtimeNs = 1_000_000_000_000_000_000n, content = 'old'): TreeNode {
  return { type: 'file', digest: digestOf(Buffer.from(content)), mode: 0o644, mtimeNs };
}

const directory: TreeNode = { type: 'directory', mode: 0o755, mtimeNs: 7n };
const made = (mtimeNs = startedNs + 1n) => file(mtimeNs, 'new');

/** What counts, by path, of a command that observed and left this. */
async function counted(options: {
  base: Record<string, TreeNode>;
  trace: Record<string, number>;
  changes?: Record<string, TreeNode | null>;
  timeUse?: TimeUse;
  lone?: string[];
  cwd?: string;
  shows?: boolean;
}): Promise<Record<string, number>> {
  const { base, trace, changes = {}, timeUse = 'compared', lone = [], cwd = '', shows = false } = options;
  const observations = await countedObservations({
    manifest: {
      startedNs,
      finishedNs: startedNs + 1_000_000n,
      trace: Object.entries(trace).map(([path, flags]) => ({ path, flags })),
      changes: Object.entries(changes).map(
        ([path, node]): Change => ({ path, base: base[path] ?? null, node }),
      ),
    },
    former: { node: (path) => base[path] ?? null },
    overwritten: new Map(lone.map((path) => [path, 0o644])),
    ...{ timeUse, cwd },
    showsTimes: () => shows,
  });
  return Object.fromEntries(
    observations.map(({ path, flags }) => [path, flags & ~(found | absent | read | listed | rewritten)]),
  );
}

suite('countedObservations()', (test) => {
  test('count no age of anything when all was read, or the programs are known', async () => {
    const base = { a: file(), b: file() };
    assert.equal(await counted({ base, trace: { a: found | read, b: found | read } }), { a: 0, b: 0 });
    assert.equal(await counted({ base, trace: { a: found, b: found | read }, timeUse: 'unused' }), {
      a: 0,
      b: 0,
    });
  });

  test('count the age of what was not read, against all else', async () => {
    const base = { a: file(), b: file() };
    assert.equal(await counted({ base, trace: { a: found, b: found | read } }), { a: compared, b: aged });
  });

  test('count the age of what was there and is changed', async () => {
    const base = { in: file(), stamp: file(2n) };
    const trace = { in: found | read, stamp: found | read };
    assert.equal(await counted({ base, trace, changes: { stamp: made() } }), { in: aged, stamp: compared });
  });

  test('count no content of what is replaced or removed unread, but of a copy, or where sizes are told', async () => {
    const base = { in: file(5n), log: file(6n) };
    const trace = { in: found | read, log: found };
    const replaced = { in: aged, log: compared | overwritten };
    assert.equal(await counted({ base, trace, changes: { log: made() } }), replaced);
    assert.equal(await counted({ base, trace, changes: { log: null } }), replaced);
    assert.equal(await counted({ base, trace, changes: { log: made() }, timeUse: 'unused' }), {
      ...{ in: 0, log: overwritten },
    });
    const copies = { in: file(6n), log: file(6n) };
    assert.equal(await counted({ base: copies, trace, changes: { log: made() } }), {
      in: aged,
      log: compared,
    });
    const rsync = await counted({ base, trace, changes: { log: made() }, timeUse: 'sorted' });
    assert.equal(rsync, { in: compared, log: compared });
  });

  test('count nothing of what a lone compiler or redirection overwrites', async () => {
    const base = { in: file(), out: file() };
    const trace = { in: found | read, out: found };
    assert.equal(await counted({ base, trace, changes: { out: made() }, lone: ['out'] }), { in: 0, out: 0 });
  });

  test('count the age of folders that are not only on the way to something', async () => {
    const base = { sub: directory, 'sub/x': file(), alone: directory, here: directory };
    const trace = { sub: found, 'sub/x': found | read, alone: found, here: found };
    assert.equal(await counted({ base, trace, cwd: 'here' }), {
      sub: 0,
      'sub/x': aged,
      alone: compared,
      here: 0,
    });
    const sorted = await counted({ base, trace, cwd: 'here', timeUse: 'sorted' });
    assert.equal(sorted, { sub: compared, 'sub/x': compared, alone: compared, here: 0 });
  });

  test('count the time itself of what has its time copied', async () => {
    const base = { a: file(5n), b: file(6n) };
    const trace = { a: found | read, b: found | read };
    assert.equal(await counted({ base, trace, changes: { c: made(5n) } }), { a: exactTime, b: 0 });
    assert.equal(await counted({ base, trace, changes: { c: made(5n) }, timeUse: 'unused' }), {
      ...{ a: exactTime, b: 0 },
    });
  });

  test('count it also when the copy had that time already', async () => {
    const base = { a: file(5n), b: file(6n), c: file(5n) };
    const trace = { a: found | read, b: found | read, c: found | read | rewritten };
    for (const timeUse of ['unused', 'compared'] as const) {
      const flags = await counted({ base, trace, timeUse });
      assert.equal(
        [flags['a']! & exactTime, flags['b']! & exactTime, flags['c']! & exactTime],
        [exactTime, 0, exactTime],
      );
    }
  });

  test('count all times where they are shown, but of what is overwritten', async () => {
    const base = { a: file(5n), d: directory, l: { type: 'symlink', target: 'a' } as const, out: file(9n) };
    const trace = { a: found | read, d: found | listed, l: found, out: found };
    const changes = { out: made() };
    const shown = await counted({ base, trace, changes, timeUse: 'shown', lone: ['out'] });
    assert.equal(shown, { a: aged | exactTime, d: compared | exactTime, l: exactTime, out: exactTime });
    const noticed = await counted({ base, trace: { a: found | read }, shows: true });
    assert.equal(noticed, { a: exactTime });
  });

  test('count the times of sources that Python and clang compare with those that they keep', async () => {
    const base = {
      ...{
        'm.py': file(5n),
        '__pycache__/m.cpython-311.pyc': file(6n),
        'd/n.py': file(7n),
        'd/n.pyc': file(8n),
      },
    };
    const trace = {
      'm.py': found,
      '__pycache__/m.cpython-311.pyc': found | read,
      'd/n.py': found,
      'd/n.pyc': found | read,
    };
    const flags = await counted({ base, trace });
    assert.ok(flags['m.py']! & exactTime && flags['d/n.py']! & exactTime);
    const pch = {
      base: { 'a.h': file(), 'a.h.pch': file() },
      trace: { 'a.h': found, 'a.h.pch': found | read },
    };
    assert.equal(await counted({ ...pch, timeUse: 'unused' }), { 'a.h': exactTime, 'a.h.pch': 0 });
  });
});
