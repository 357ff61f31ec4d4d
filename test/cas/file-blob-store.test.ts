import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { digestOf, emptyDigest, formatDigest, parseDigest } from '../../cas/digest.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { AppError } from '../../runtime/app-error.ts';
import { fsPath } from '../../runtime/byte-path.ts';
import { assertMismatch, assertRejects, flip } from '../contracts/blob-store.ts';
import { contentOf } from '../contracts/content.ts';
import { skip, suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';

const small = contentOf(10_000, 1);
const large = contentOf(3 * 1024 * 1024 + 5, 2);
const storeProgram = join(import.meta.dirname, '../fixtures/put-blobs.js');

async function rig(): Promise<{ dir: TempDir; store: FileBlobStore } & AsyncDisposable> {
  const dir = await tempDir();
  const store = await FileBlobStore.open(dir.join('store'));
  return { dir, store, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

/** All files of a store that are no blobs. */
function temps(store: FileBlobStore): string[] {
  return readdirSync(join(store.dir, 'tmp'));
}

function assertExact(store: FileBlobStore, content: Buffer): void {
  const path = store.pathOf(digestOf(content));
  assert.ok(readFileSync(path).equals(content), 'content');
  assert.is(statSync(path).mode & 0o7777, 0o444);
  assert.is(statSync(path).nlink, 1);
}

suite('FileBlobStore', (test) => {
  test('pathOf() is <store>/<2 hex>/<hash>', async () => {
    await using r = await rig();
    const digest = digestOf(small);
    assert.is(r.store.pathOf(digest), r.dir.join('store', digest.hash.slice(0, 2), digest.hash));
    await r.store.put(digest, small);
    assertExact(r.store, small);
  });

  test('pathOf() refuses what is no hash', async () => {
    await using r = await rig();
    for (const hash of ['', '../../etc/passwd', `${'a'.repeat(63)}/`, 'A'.repeat(64)]) {
      assert.throws(
        () => r.store.pathOf({ hash, sizeBytes: 1 }),
        (error: unknown) => error instanceof AppError && error.code === 'bad-digest',
      );
    }
  });

  test('open() makes the folder and the empty blob, and takes a store that is there', async () => {
    await using dir = await tempDir();
    const first = await FileBlobStore.open(dir.join('a/b/store'));
    assert.is(statSync(first.pathOf(emptyDigest)).size, 0);
    await first.put(digestOf(small), small);
    const second = await FileBlobStore.open(dir.join('a/b/store'));
    assert.ok((await second.get(digestOf(small)))!.equals(small));
  });

  test('open() works below a folder whose name is not UTF-8', async () => {
    await using dir = await tempDir();
    const store = await FileBlobStore.open(dir.join('store-\udcff\udc80'));
    const file = dir.join('in-\udcfe');
    writeFileSync(fsPath(file), small);
    for (const content of [small, large]) {
      await store.put(digestOf(content), content);
      assert.ok((await store.get(digestOf(content)))!.equals(content));
      const out = dir.join(`out-\udcfe-${content.length}`);
      await store.exportFile(digestOf(content), out);
      assert.ok(readFileSync(fsPath(out)).equals(content));
    }
    assert.equal(await store.importFile(file), digestOf(small));
  });

  test('open() removes temporary files that are more than an hour old, and no others', async () => {
    await using r = await rig();
    const old = join(r.store.dir, 'tmp/old');
    const young = join(r.store.dir, 'tmp/young');
    for (const path of [old, young]) writeFileSync(path, 'x');
    utimesSync(old, Date.now() / 1000 - 3700, Date.now() / 1000 - 3700);
    await FileBlobStore.open(r.store.dir);
    assert.equal(temps(r.store), ['young']);
  });

  test('put() survives the removal of the whole store', async () => {
    await using r = await rig();
    for (const content of [small, large]) {
      rmSync(r.store.dir, { recursive: true });
      await r.store.put(digestOf(content), content);
      assertExact(r.store, content);
    }
  });

  test('put() is not bent by the umask', async () => {
    await using r = await rig();
    const umask = process.umask(0o077);
    try {
      await r.store.put(digestOf(small), small);
      await r.store.exportFile(digestOf(small), r.dir.join('out'), { mode: 0o6755 });
    } finally {
      process.umask(umask);
    }
    assertExact(r.store, small);
    assert.is(statSync(r.dir.join('out')).mode & 0o7777, 0o6755);
  });

  test('put() leaves no temporary file, whether it fails or not', async () => {
    await using r = await rig();
    for (const content of [small, large]) {
      await r.store.put(digestOf(content), content);
      await assertMismatch(() => r.store.put(digestOf(Buffer.from('other')), content));
      await assertMismatch(() => r.store.put({ ...digestOf(flip(content)) }, content));
    }
    assert.equal(temps(r.store), []);
  });

  test('put() replaces a blob that was cut short', async () => {
    await using r = await rig();
    for (const content of [small, large]) {
      const path = r.store.pathOf(digestOf(content));
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, content.subarray(10));
      await r.store.put(digestOf(content), content);
      assertExact(r.store, content);
    }
  });

  test('importFile() replaces a blob that has gone bad', async () => {
    await using r = await rig();
    await r.store.put(digestOf(small), small);
    const blob = r.store.pathOf(digestOf(small));
    chmodSync(blob, 0o644);
    writeFileSync(blob, Buffer.alloc(small.byteLength, 'x'));
    await r.store.importFile(r.dir.write('made', small));
    assert.equal(await r.store.get(digestOf(small)), Buffer.from(small));
  });

  test('importFile() refuses all but regular files, follows no link, and ENOENT stays ENOENT', async () => {
    await using r = await rig();
    r.dir.write('file', 'x');
    symlinkSync(r.dir.join('file'), r.dir.join('link'));
    mkdirSync(r.dir.join('folder'));
    execFileSync('mkfifo', [r.dir.join('fifo')]);
    await assertRejects(() => r.store.importFile(r.dir.join('link')), /ELOOP/);
    for (const name of ['folder', 'fifo'])
      await assertRejects(() => r.store.importFile(r.dir.join(name)), /Not a regular file/);
    await assertRejects(() => r.store.importFile(r.dir.join('absent')), /ENOENT/);
    assert.equal(await r.store.findMissing([digestOf(Buffer.from('x'))]), [digestOf(Buffer.from('x'))]);
  });

  test('importFile() copies also across file systems', async () => {
    if (!existsSync('/dev/shm')) skip('no /dev/shm');
    await using r = await rig();
    await using other = await tempDir('/dev/shm');
    if (statSync(other.path).dev === statSync(r.dir.path).dev)
      skip('/dev/shm and the temporary folder are one file system');
    for (const content of [small, large]) {
      assert.equal(await r.store.importFile(other.write('made', content)), digestOf(content));
      assertExact(r.store, content);
    }
    assert.equal(temps(r.store), []);
  });

  test('importFile() copies and leaves the file alone', async () => {
    await using r = await rig();
    for (const content of [small, large, Buffer.alloc(0)]) {
      const path = r.dir.write('theirs', content, { mode: 0o600 });
      assert.equal(await r.store.importFile(path), digestOf(content));
      assertExact(r.store, content);
      assert.is(statSync(path).mode & 0o7777, 0o600);
      assert.ok(readFileSync(path).equals(content));
    }
    assert.equal(temps(r.store), []);
  });

  test('importFile() reads files whose size is told as 0', async () => {
    await using r = await rig();
    const digest = await r.store.importFile('/proc/version');
    assert.ok((await r.store.get(digest))!.equals(readFileSync('/proc/version')));
  });

  test('importFile() stops when its signal aborts', async () => {
    await using r = await rig();
    const path = r.dir.write('theirs', large);
    const signal = AbortSignal.abort(new Error('changed my mind'));
    await assertRejects(() => r.store.importFile(path, { signal }), /changed my mind/);
    assert.equal(temps(r.store), []);
  });

  test('exportFile() makes an independent file with exactly the mode asked for', async () => {
    await using r = await rig();
    for (const content of [small, large, Buffer.alloc(0)]) {
      await r.store.put(digestOf(content), content);
      const out = r.dir.join(`out-${content.length}`);
      await r.store.exportFile(digestOf(content), out, { mode: 0o4711 });
      assert.ok(readFileSync(out).equals(content));
      assert.is(statSync(out).mode & 0o7777, 0o4711);
      writeFileSync(out, 'changed in place');
      assertExact(r.store, content);
    }
  });

  test('exportFile() replaces nothing and leaves nothing when it fails', async () => {
    await using r = await rig();
    for (const content of [small, large]) {
      const digest = digestOf(content);
      const out = r.dir.join('out');
      await assertRejects(() => r.store.exportFile(digest, out), /not in the store/);
      await r.store.put(digest, content);
      writeFileSync(out, 'mine');
      await assertRejects(() => r.store.exportFile(digest, out), /EEXIST/);
      assert.is(r.dir.read('out'), 'mine');
      rmSync(out);
      chmodSync(r.store.pathOf(digest), 0o644);
      writeFileSync(r.store.pathOf(digest), flip(content));
      await assertMismatch(() => r.store.exportFile(digest, out));
      assert.is(existsSync(out), false);
    }
  });

  test('verify() is true for good blobs, and drops bad ones', async () => {
    await using r = await rig();
    for (const content of [small, large]) {
      const digest = digestOf(content);
      assert.is(await r.store.verify(digest), false);
      await r.store.put(digest, content);
      assert.is(await r.store.verify(digest), true);
      chmodSync(r.store.pathOf(digest), 0o644);
      writeFileSync(r.store.pathOf(digest), flip(content));
      assert.equal(await r.store.findMissing([digest]), []);
      assert.is(await r.store.verify(digest), false);
      assert.equal(await r.store.findMissing([digest]), [digest]);
    }
  });

  test(
    'importFile() takes files beyond 4 GiB and keeps their holes',
    async () => {
      await using r = await rig();
      const path = r.dir.join('sparse');
      const sizeBytes = 4 * 1024 ** 3 + 12_345;
      const fd = openSync(path, 'wx');
      writeSync(fd, 'begin', 0);
      writeSync(fd, 'end', sizeBytes - 3);
      ftruncateSync(fd, sizeBytes);
      closeSync(fd);
      const digest = await r.store.importFile(path);
      assert.is(digest.sizeBytes, sizeBytes);
      const stored = statSync(r.store.pathOf(digest));
      assert.is(stored.size, sizeBytes);
      assert.ok(stored.blocks * 512 < 16 * 1024 ** 2, `${stored.blocks} blocks`);
    },
    { deadlineMs: 180_000 },
  );

  test('exportFile() keeps holes', async () => {
    await using r = await rig();
    const content = Buffer.alloc(20 * 1024 * 1024);
    content.write('begin');
    content.write('middle', 10 * 1024 * 1024);
    await r.store.put(digestOf(content), content);
    await r.store.exportFile(digestOf(content), r.dir.join('out'));
    assert.ok(readFileSync(r.dir.join('out')).equals(content));
    assert.ok(statSync(r.dir.join('out')).blocks * 512 < 4 * 1024 * 1024);
  });

  test('several processes may put the same blobs at once', async () => {
    await using r = await rig();
    const outputs = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, [storeProgram, r.store.dir, '60'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const text = await readText(child.stdout);
        assert.is(child.exitCode ?? (await once(child, 'exit'))[0], 0);
        return text;
      }),
    );
    const digests = outputs[0]!.trim().split('\n').map(parseDigest);
    assert.is(digests.length, 60);
    for (const output of outputs) assert.is(output, outputs[0]);
    for (const digest of digests) assert.ok(await r.store.verify(digest), formatDigest(digest));
    assert.equal(temps(r.store), []);
  });

  test('a writer killed at any moment leaves whole blobs only', async () => {
    await using r = await rig();
    for (let round = 0; round < 6; round++) {
      const child = spawn(process.execPath, [storeProgram, r.store.dir, '1000', String(round)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await sleep(7 * round);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    let count = 0;
    for (const folder of readdirSync(r.store.dir).filter((name) => name !== 'tmp')) {
      for (const hash of readdirSync(join(r.store.dir, folder))) {
        assert.is(digestOf(readFileSync(join(r.store.dir, folder, hash))).hash, hash);
        count += 1;
      }
    }
    assert.ok(count > 6, `${count} blobs`);
  });

  test('a full disk is disk-full, and nothing is left', async () => {
    if (process.getuid!() !== 0) skip('mounting a small file system needs root');
    await using dir = await tempDir();
    const program = join(import.meta.dirname, '../fixtures/fill-disk.js');
    mkdirSync(dir.join('tiny'));
    // In a mount namespace of its own, so that the mount is gone with the process, however it ends.
    const script = 'mount -t tmpfs -o size=2m,nr_inodes=2000 tiny "$1" && exec "$2" "$3" "$1/store"';
    const output = execFileSync(
      'unshare',
      [
        '-m',
        '--propagation',
        'private',
        'sh',
        '-c',
        script,
        'sh',
        dir.join('tiny'),
        process.execPath,
        program,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const outcome = JSON.parse(output);
    assert.equal(outcome, {
      putSmall: 'disk-full',
      putLarge: 'disk-full',
      putStream: 'disk-full',
      import: 'disk-full',
      temps: [],
      missingIsStillMissing: true,
      worksAfterMakingSpace: true,
    });
    assert.equal(readdirSync(dir.join('tiny')), []);
  });
});

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
