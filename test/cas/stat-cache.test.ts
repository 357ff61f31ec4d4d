import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Database, openDatabase } from '../../cas/database.ts';
import { digestOf } from '../../cas/digest.ts';
import { equalSignatures, isRacy, StatCache, type StatSignature, signatureOf } from '../../cas/stat-cache.ts';
import { AppError } from '../../runtime/app-error.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';

const second = 1_000_000_000n;
const now = 1_700_000_000n * second + 123n;
const signature: StatSignature = {
  sizeBytes: 5,
  mtimeNs: now - 100n * second,
  ctimeNs: now - 99n * second,
  inode: 2n ** 63n + 5n,
  mode: 0o100644,
};
const digest = digestOf(Buffer.from('hello'));

async function openIn(dir: TempDir, notices: string[] = []): Promise<StatCache> {
  return StatCache.open(dir.join('state/db'), { onNotice: (message) => notices.push(message) });
}

suite('StatCache', (test) => {
  test('keeps entries across sessions, exactly', async () => {
    await using dir = await tempDir();
    const path = '/home/me/caf\u00e9/\udcff\n';
    {
      await using cache = await openIn(dir);
      cache.record(path, signature, digest, now);
      assert.equal(await cache.get(path), { ...signature, digest });
    }
    await using cache = await openIn(dir);
    assert.equal(await cache.get(path), { ...signature, digest });
    assert.is(await cache.get('/home/me'), undefined);
    assert.ok(equalSignatures((await cache.get(path))!, signature));
  });

  test('load() gives a path and all below it, and no neighbours', async () => {
    await using dir = await tempDir();
    await using cache = await openIn(dir);
    const inside = ['/p', '/p/a', '/p/a/b', '/p/\u{1f41c}', '/p/\udcff'];
    for (const path of [...inside, '/', '/o', '/p.c', '/p0', '/pp/a', '/q'])
      cache.record(path, signature, digest, now);
    assert.equal([...(await cache.load('/p')).keys()].sort(), [...inside].sort());
    assert.is((await cache.load('/')).size, 11);
    assert.is((await cache.load('/none')).size, 0);
  });

  test('forget() removes an entry, before and after it was written', async () => {
    await using dir = await tempDir();
    await using cache = await openIn(dir);
    for (const flushed of [false, true]) {
      cache.record('/a', signature, digest, now);
      if (flushed) await cache.flush();
      cache.forget('/a');
      assert.is(await cache.get('/a'), undefined);
      assert.is((await cache.load('/')).size, 0);
    }
  });

  test('record() does not trust a file that may have changed after it was read', async () => {
    await using dir = await tempDir();
    await using cache = await openIn(dir);
    for (const field of ['mtimeNs', 'ctimeNs'] as const) {
      cache.record('/a', signature, digest, now);
      cache.record('/a', { ...signature, [field]: now - 5_000_000n }, digest, now);
      assert.is(await cache.get('/a'), undefined, field);
    }
  });

  test('isRacy() allows for the ticks of clocks and file systems', () => {
    const at = (mtimeNs: bigint, ctimeNs = mtimeNs) => isRacy({ mtimeNs, ctimeNs }, now);
    assert.is(at(now + second), true);
    assert.is(at(now), true);
    assert.is(at(now - 10_000_000n), true);
    assert.is(at(now - 30_000_000n), false);
    assert.is(at(now - 30_000_000n, now), true);
    // Whole seconds in both: a file system that keeps no fractions.
    assert.is(at(1_699_999_999n * second), true);
    assert.is(at(1_699_999_997n * second), false);
  });

  test('a file just written is racy, and what changes it changes its signature', async () => {
    await using dir = await tempDir();
    const path = dir.write('file', 'one');
    const readAtNs = BigInt(Date.now()) * 1_000_000n;
    const before = signatureOf(lstatSync(path, { bigint: true }));
    assert.is(isRacy(before, readAtNs), true);
    assert.is(before.sizeBytes, 3);
    assert.is(before.mode & 0o170000, 0o100000);
    writeFileSync(path, 'three');
    assert.is(equalSignatures(before, signatureOf(lstatSync(path, { bigint: true }))), false);
  });

  test(
    'loads 200,000 entries',
    async () => {
      await using dir = await tempDir();
      const count = 200_000;
      const pathOf = (i: number) => `/home/me/project/some/folder-${i % 997}/and/some-file-name-${i}.c`;
      {
        await using cache = await openIn(dir);
        for (let i = 0; i < count; i++)
          cache.record(pathOf(i), { ...signature, inode: BigInt(i) }, digest, now);
      }
      await using cache = await openIn(dir);
      const started = performance.now();
      const entries = await cache.load('/home/me/project');
      console.log(`200,000 entries in ${Math.round(performance.now() - started)} ms`);
      assert.is(entries.size, count);
      assert.is(entries.get(pathOf(77_777))!.inode, 77_777n);
    },
    { deadlineMs: 60_000 },
  );

  test('a database that another process has open is database-locked', async () => {
    await using dir = await tempDir();
    const program = join(import.meta.dirname, '../fixtures/hold-stat-cache.js');
    const child = spawn(process.execPath, [program, dir.join('state/db')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const error = await openIn(dir).catch((thrown) => thrown);
    assert.instance(error, AppError);
    assert.is(error.code, 'database-locked');
    assert.match(error.hint, 'Another Termite master');
    // However it ends: the lock goes with the process.
    child.kill('SIGKILL');
    await once(child, 'exit');
    await using cache = await openIn(dir);
    assert.equal(await cache.get('/held'), undefined);
  });

  test('an entry that is not what was written is none', async () => {
    await using dir = await tempDir();
    {
      await using cache = await openIn(dir);
      cache.record('/a', signature, digest, now);
    }
    const key = Buffer.from('/a');
    const whole = (await withDatabase(dir, (database) => database.get(key)))!;
    const damaged = [...whole.keys()].map((at) => flipAt(whole, at));
    for (const value of [...damaged, whole.subarray(1), Buffer.alloc(0), Buffer.concat([whole, key])]) {
      await withDatabase(dir, (database) => database.put(key, value));
      await using cache = await openIn(dir);
      assert.is(await cache.get('/a'), undefined);
      assert.is((await cache.load('/')).size, 0);
    }
    // Nor is one that belongs to another path.
    await withDatabase(dir, (database) => database.put(Buffer.from('/b'), whole));
    await using cache = await openIn(dir);
    assert.is(await cache.get('/b'), undefined);
  });

  const damages: [string, (dir: string, file: string) => void][] = [
    ['overwritten', (dir, file) => writeFileSync(join(dir, file), Buffer.alloc(1000, 7))],
    ['cut in half', (dir, file) => truncateSync(join(dir, file), readFileSync(join(dir, file)).length >> 1)],
    ['removed', (dir, file) => rmSync(join(dir, file))],
    ['flipped in one bit', flipBit],
  ];
  for (const kind of ['CURRENT', 'MANIFEST', '.ldb', '.log']) {
    for (const [what, damage] of damages) {
      test(`a database whose ${kind} file was ${what} gives good entries or none, and works`, async () => {
        await using dir = await tempDir();
        await fill(dir);
        const database = dir.join('state/db');
        const file = readdirSync(database).find((name) => name.includes(kind) && !name.startsWith('LOG'))!;
        damage(database, file);
        const notices: string[] = [];
        {
          await using cache = await openIn(dir, notices);
          for (const entry of (await cache.load('/')).values()) assert.equal(entry, { ...signature, digest });
          cache.record('/new', signature, digest, now);
        }
        await using cache = await openIn(dir, notices);
        assert.equal(await cache.get('/new'), { ...signature, digest });
        const aside = readdirSync(dir.join('state')).filter((name) => name.includes('corrupt'));
        assert.is(aside.length, notices.length);
        for (const notice of notices) assert.match(notice, /was corrupt: it is now ".*corrupt/);
      });
    }
  }
});

/** Entries in a table and in the log. */
async function fill(dir: TempDir): Promise<void> {
  for (const name of ['first', 'second']) {
    await using cache = await openIn(dir);
    for (let i = 0; i < 3000; i++) cache.record(`/${name}/${i}`, signature, digest, now);
  }
}

function flipBit(dir: string, file: string): void {
  const content = readFileSync(join(dir, file));
  writeFileSync(join(dir, file), flipAt(content, content.length >> 1));
}

function flipAt(content: Buffer, at: number): Buffer {
  const flipped = Buffer.from(content);
  flipped[at] = flipped[at]! ^ 4;
  return flipped;
}

async function withDatabase<T>(dir: TempDir, action: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(dir.join('state/db'), assert.unreachable);
  try {
    return await action(database);
  } finally {
    await database.close();
  }
}
