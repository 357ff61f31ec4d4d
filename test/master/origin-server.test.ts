import { chmodSync, chownSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { decodeDirectory } from '../../cas/directory.ts';
import { OriginClient } from '../../executor/origin-client.ts';
import { listenForOrigin } from '../../master/origin-server.ts';
import { AppError } from '../../runtime/app-error.ts';
import { fsPath } from '../../runtime/byte-path.ts';
import { isErrno } from '../../runtime/errno.ts';
import { Scope } from '../../runtime/scope.ts';
import { testToken } from '../fixtures/token.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { workspaceRig } from '../rigs/workspace.ts';

suite('LocalOrigin, directly and through an origin server', (test) => {
  test('gives the snapshot and the content of its files, while they are what they were', async () => {
    await using scope = new Scope();
    await using dir = await tempDir();
    const large = Buffer.alloc(3_000_000, 'large');
    dir.write('project/file', 'content');
    dir.write('project/large', large);
    dir.write('project/other', 'other');
    const rig = scope.use(await workspaceRig(dir.path));
    const { origin } = rig.workspace;
    const server = scope.use(await listenForOrigin(origin, testToken));
    const client = scope.use(new OriginClient(server.url, testToken));
    const { root } = await rig.workspace.snapshot();
    for (const { blobs } of [client, origin]) {
      const blob = await blobs.get(root);
      const { files } = decodeDirectory(blob!);
      assert.equal(
        files.map(({ name, digest }) => [name, digest]),
        [
          ['file', digestOf(Buffer.from('content'))],
          ['large', digestOf(large)],
          ['other', digestOf(Buffer.from('other'))],
        ],
      );
      assert.is((await blobs.get(files[0]!.digest))?.toString(), 'content');
      const missing = { hash: 'a'.repeat(64), sizeBytes: 3 };
      const many = await blobs.getMany([root, missing, files[0]!.digest]);
      assert.equal(
        many.map((bytes) => bytes?.length),
        [root.sizeBytes, undefined, 7],
      );
      let length = 0;
      for await (const chunk of (await blobs.read(files[1]!.digest))!) length += chunk.byteLength;
      assert.is(length, large.length);
      assert.is(await blobs.read(missing), undefined);
    }
    writeFileSync(join(rig.project, 'other'), 'OTHER');
    assert.is(await origin.blobs.get(digestOf(Buffer.from('other'))), undefined);
    assert.is(await client.blobs.get(digestOf(Buffer.from('other'))), undefined);
  });

  test('shows the machine around the project, with any bytes in names', async () => {
    await using scope = new Scope();
    await using dir = await tempDir('/var');
    dir.write('project/file', '');
    writeFileSync(fsPath(dir.join('odd \udcff%')), 'odd');
    const rig = scope.use(await workspaceRig(dir.path));
    const { origin } = rig.workspace;
    const server = scope.use(await listenForOrigin(origin, testToken));
    const client = scope.use(new OriginClient(server.url, testToken));
    const root = realpathSync(dir.path);
    for (const each of [origin, client]) {
      const { files, directories } = decodeDirectory(await each.listDirectory(root));
      assert.equal(
        files.map(({ name }) => name),
        ['odd \udcff%'],
      );
      assert.equal(
        directories.map(({ name }) => name),
        ['cas', 'project', 'state'],
      );
      for (const hidden of ['cas', 'project', 'state']) {
        const listing = decodeDirectory(await each.listDirectory(`${root}/${hidden}`));
        assert.equal([listing.files, listing.directories], [[], []], hidden);
      }
      assert.equal(decodeDirectory(await each.listDirectory('/proc')).directories, []);
      assert.equal(await each.digestFile(`${root}/odd \udcff%`), digestOf(Buffer.from('odd')));
      const error = await each.listDirectory(`${root}/none`).then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.ok(isErrno(error, 'ENOENT'), `${error}`);
    }
    const before = await rig.workspace.snapshot();
    writeFileSync(dir.join('new'), '');
    const after = await rig.workspace.snapshot();
    assert.equal([after.epoch, after.revision], [before.epoch, before.revision + 1]);
    const amendments = await client.amendments(before.epoch, before.revision);
    assert.equal(amendments, await rig.workspace.origin.amendments(before.epoch, before.revision));
    assert.equal(
      amendments.amendments.map(({ path, names, isRelisted }) => ({ path, names, isRelisted })),
      [{ path: root, names: ['new'], isRelisted: true }],
    );
    assert.equal(
      decodeDirectory(await client.listDirectory(root)).files.map(({ name }) => name),
      ['new', 'odd \udcff%'],
    );
  });

  test('gives nothing private to whoever asks, by path or by digest', async () => {
    await using scope = new Scope();
    await using dir = await tempDir('/var');
    for (const path of ['closed/file', 'home/.ssh/key', 'home/file']) dir.write(path, path);
    dir.write('secret', 'secret', { mode: 0o640 });
    for (const path of ['closed', 'home']) chmodSync(dir.join(path), 0o700);
    chownSync(dir.join('secret'), process.getuid!(), process.getuid!() === 0 ? 0 : process.getgid!());
    const rig = scope.use(await workspaceRig(dir.path, { homes: [dir.join('home')] }));
    const server = scope.use(await listenForOrigin(rig.workspace.origin, testToken));
    const client = scope.use(new OriginClient(server.url, testToken));
    const secrets = ['closed/file', 'home/.ssh/key', ...(process.getuid!() === 0 ? ['secret'] : [])];
    for (const path of secrets) {
      const error = await client.digestFile(dir.join(path)).then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.ok(isErrno(error, 'EACCES'), `${path}: ${error}`);
      assert.is(await client.blobs.get(digestOf(Buffer.from(path))), undefined, path);
    }
    for (const path of ['closed', 'home/.ssh']) {
      const { isPartial, files } = decodeDirectory(await client.listDirectory(dir.join(path)));
      assert.equal([isPartial, files], [true, []], path);
    }
    assert.equal(await client.digestFile(dir.join('home/file')), digestOf(Buffer.from('home/file')));
  });

  test('hands on the stdin of jobs', async () => {
    await using scope = new Scope();
    await using dir = await tempDir();
    const asked: unknown[] = [];
    const rig = scope.use(
      await workspaceRig(dir.path, {
        async readStdin(jobId, maxBytes) {
          asked.push([jobId, maxBytes]);
          if (jobId === 'none')
            throw new AppError('No such job', { code: 'job-unknown', category: 'not-found' });
          return asked.length > 2 ? new Uint8Array() : Buffer.from('line\n');
        },
      }),
    );
    const server = scope.use(await listenForOrigin(rig.workspace.origin, testToken));
    const client = scope.use(new OriginClient(server.url, testToken));
    const { signal } = new AbortController();
    assert.is(Buffer.from(await client.readStdin('job-1', 100, signal)).toString(), 'line\n');
    assert.is((await rig.workspace.origin.readStdin('job-1', 7, signal)).length, 5);
    assert.is((await client.readStdin('job-1', 100, signal)).length, 0);
    assert.equal(asked, [
      ['job-1', 100],
      ['job-1', 7],
      ['job-1', 100],
    ]);
    const error = await client.readStdin('none', 1, signal).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.is(error instanceof AppError && error.code, 'job-unknown');
  });
});
