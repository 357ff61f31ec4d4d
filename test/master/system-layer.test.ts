import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { type Directory, decodeDirectory } from '../../cas/directory.ts';
import { StatCache } from '../../cas/stat-cache.ts';
import { Privacy } from '../../master/privacy.ts';
import { SystemLayer } from '../../master/system-layer.ts';
import { Watcher } from '../../master/watcher.ts';
import { ObservationFlag } from '../../protocol/job.ts';
import { AppError } from '../../runtime/app-error.ts';
import { isErrno } from '../../runtime/errno.ts';
import { Scope } from '../../runtime/scope.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';

interface Rig extends AsyncDisposable {
  layer: SystemLayer;
  /** Absolute path of a folder of the machine. */
  root: string;
  list(path: string): Promise<Directory>;
  /** Drains the watcher into the layer. */
  absorb(): Promise<void>;
}

suite('SystemLayer', (test) => {
  test('lists a directory without digests: sizes, modes, times, targets, and what is in it by kind', async () => {
    await using dir = await tempDir();
    dir.write('root/file', 'content', { mode: 0o4755 });
    utimesSync(dir.join('root/file'), 1_600_000_000, 1_600_000_000);
    mkdirSync(dir.join('root/sub'), { mode: 0o775 });
    chmodSync(dir.join('root/sub'), 0o775);
    symlinkSync('sub/x', dir.join('root/link'));
    const server = createServer().listen(dir.join('root/socket'));
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      await using rig = await openRig(dir);
      const { files, directories, symlinks, mode } = await rig.list(rig.root);
      const socket = { mode: statSync(dir.join('root/socket')).mode & 0o7777 };
      assert.equal(files, [
        {
          name: 'file',
          type: 'file',
          digest: { hash: '', sizeBytes: 7 },
          mode: 0o4755,
          mtimeNs: 1_600_000_000_000_000_000n,
        },
        { ...socket, name: 'socket', type: 'socket', digest: { hash: '', sizeBytes: 0 }, mtimeNs: 0n },
      ]);
      assert.equal(directories, [{ name: 'sub' }]);
      assert.equal(
        symlinks.map(({ name, target }) => [name, target]),
        [['link', 'sub/x']],
      );
      assert.is(mode, 0o755);
      assert.is((await rig.list(join(rig.root, 'sub'))).mode, 0o775);
    } finally {
      server.close();
    }
  });

  test('answers what is not there as the system would', async () => {
    await using dir = await tempDir();
    dir.write('root/file', '');
    mkdirSync(dir.join('root/dir'));
    symlinkSync('dir', dir.join('root/link'));
    await using rig = await openRig(dir);
    const failsWith = async (code: 'ENOENT' | 'ENOTDIR' | 'ELOOP', call: Promise<unknown>) => {
      const error = await call.then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.ok(isErrno(error, code), `${code}: ${error}`);
    };
    await failsWith('ENOENT', rig.list(join(rig.root, 'nothing')));
    await failsWith('ENOTDIR', rig.list(join(rig.root, 'file')));
    await failsWith('ENOTDIR', rig.list(join(rig.root, 'link')));
    await failsWith('ENOENT', rig.list(`${rig.root}/dir/../dir`));
    await failsWith('ENOENT', rig.list('relative'));
    await failsWith('ENOENT', rig.layer.digestFile(join(rig.root, 'nothing')));
    await failsWith('ENOENT', rig.layer.digestFile(join(rig.root, 'nowhere/nothing')));
    await failsWith('ENOTDIR', rig.layer.digestFile(join(rig.root, 'link/x')));
  });

  test('shows hidden places as empty directories, and nothing below them', async () => {
    await using dir = await tempDir();
    dir.write('root/secret/sub/file', '');
    await using rig = await openRig(dir, ['secret']);
    assert.equal((await rig.list(rig.root)).directories, [{ name: 'secret' }]);
    const { files, directories, symlinks } = await rig.list(join(rig.root, 'secret'));
    assert.equal([files, directories, symlinks], [[], [], []]);
    for (const call of [
      rig.list(join(rig.root, 'secret/sub')),
      rig.layer.digestFile(join(rig.root, 'secret/sub/file')),
      rig.layer.digestFile(join(rig.root, 'secret/x')),
    ]) {
      const error = await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(isErrno(error, 'ENOENT'), `${error}`);
    }
  });

  test('keeps files to their owner that are only for their owner', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/key', 'secret', { mode: 0o600 });
    await using rig = await openRig(dir);
    const { files } = await rig.list(rig.root);
    assert.equal(files, [
      { name: 'key', type: 'file', digest: { hash: '', sizeBytes: 1 }, mode: 0o600, mtimeNs: 0n },
    ]);
    const error = await rig.layer.digestFile(path).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.ok(isErrno(error, 'EACCES'));
    // A history that grows is no change of the machine.
    appendFileSync(path, 'more');
    await rig.absorb();
    assert.is(rig.layer.changes.revision, 0);
    chmodSync(path, 0o644);
    await rig.absorb();
    assert.is(rig.layer.changes.revision, 1);
    assert.equal(await rig.layer.digestFile(path), digestOf(Buffer.from('secretmore')));
  });

  test('shows of private folders only what leads to the project and to the home folder', async () => {
    await using dir = await tempDir();
    for (const path of ['closed/project/x', 'closed/sub/file', 'closed/file', 'closed/more/home/.local/file'])
      dir.write(`root/${path}`, 'content');
    for (const path of ['closed', 'closed/more/home', 'closed/more/home/.local'])
      chmodSync(dir.join('root', path), 0o700);
    await using rig = await openRig(dir, [], { project: 'closed/project', home: 'closed/more/home' });
    const closed = await rig.list(join(rig.root, 'closed'));
    assert.equal([closed.isPartial, closed.mode, closed.files], [true, 0o700, []]);
    assert.equal(closed.directories, [{ name: 'more' }, { name: 'project' }]);
    assert.equal((await rig.list(join(rig.root, 'closed/more'))).directories, [{ name: 'home' }]);
    const home = await rig.list(join(rig.root, 'closed/more/home'));
    assert.equal([home.isPartial, home.directories], [undefined, [{ name: '.local' }]]);
    const inHome = await rig.layer.digestFile(join(rig.root, 'closed/more/home/.local/file'));
    assert.equal(inHome, digestOf(Buffer.from('content')));
    await refuses(rig, ['closed/file', 'closed/sub/file'], ['closed/sub']);
    const seen = { path: join(rig.root, 'closed/file'), flags: ObservationFlag.absent };
    assert.is(await rig.layer.describe(seen), 'private');
    // What was private can be shown from now on, and the other way round.
    chmodSync(dir.join('root/closed'), 0o755);
    await rig.absorb();
    assert.is(rig.layer.epoch, 2);
    assert.equal((await rig.list(join(rig.root, 'closed/sub'))).files.length, 1);
    chmodSync(dir.join('root/closed'), 0o711);
    await rig.absorb();
    assert.is(rig.layer.epoch, 3);
    await refuses(rig, ['closed/sub/file'], ['closed/sub']);
  });

  test('keeps the secret places of the home folder, and those that the user names', async () => {
    await using dir = await tempDir();
    for (const path of ['home/.ssh/deep/key', 'home/.netrc', 'home/own/key', 'home/file', 'licence/key'])
      dir.write(`root/${path}`, 'secret');
    dir.write('root/home/keys/key', 'secret');
    symlinkSync('keys', dir.join('root/home/.aws'));
    await using rig = await openRig(dir, [], { home: 'home' });
    await rig.list(join(rig.root, 'home/own'));
    assert.is(rig.layer.epoch, 1);
    rig.layer.keepPrivate(['~/own', join(rig.root, 'licence')]);
    assert.is(rig.layer.epoch, 2);
    rig.layer.keepPrivate(['~/own', join(rig.root, 'licence')]);
    assert.is(rig.layer.epoch, 2);
    const files = ['.ssh/deep/key', '.ssh/key', '.netrc', 'own/key', 'keys/key'].map(
      (name) => `home/${name}`,
    );
    await refuses(rig, [...files, 'licence/key'], ['home/.ssh/deep']);
    assert.is((await rig.list(join(rig.root, 'home/.ssh'))).isPartial, true);
    assert.equal((await rig.list(join(rig.root, 'home/.ssh'))).directories, []);
    const { files: shown } = await rig.list(join(rig.root, 'home'));
    assert.equal(
      shown.map(({ name, digest, mtimeNs }) => [name, digest.sizeBytes, mtimeNs === 0n]),
      [
        ['.netrc', 1, true],
        ['file', 6, false],
      ],
    );
  });

  test('serves nothing that is not at its place when it is opened', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/sub/file', 'content');
    dir.write('root/closed/file', 'CONTENT');
    chmodSync(dir.join('root/closed'), 0o700);
    for (const name of ['sub', 'closed']) utimesSync(dir.join('root', name, 'file'), 1, 1);
    await using rig = await openRig(dir);
    await rig.list(join(rig.root, 'sub'));
    // Nobody has taken it in yet, so it is asked for as if it were still there.
    renameSync(dir.join('root/sub'), dir.join('root/away'));
    symlinkSync('closed', dir.join('root/sub'));
    for (const ask of [() => rig.layer.digestFile(path), () => rig.layer.signFile(path)]) {
      const error = await ask().then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.ok(isErrno(error, 'ENOTDIR'), `${error}`);
    }
  });

  test('gives the digest of a file and knows where its content is', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/file', 'content');
    await using rig = await openRig(dir);
    const digest = await rig.layer.digestFile(path);
    assert.equal(digest, digestOf(Buffer.from('content')));
    assert.is(rig.layer.pathWith(digest), path);
  });

  test('reads a file once, however many ask for its digest', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/file', Buffer.alloc(3 * 1024 * 1024, 'x'));
    await using rig = await openRig(dir);
    const asked = [rig.layer.digestFile(path), rig.layer.digestFile(path)];
    assert.is(asked[0], asked[1]);
    assert.equal(await asked[0], digestOf(Buffer.alloc(3 * 1024 * 1024, 'x')));
  });

  test('tells how a file looks, and notes when it looks different later', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/file', 'content');
    utimesSync(path, 1_600_000_000, 1_600_000_000);
    await using rig = await openRig(dir);
    const { sizeBytes, mtimeNs, inode } = await rig.layer.signFile(path);
    assert.equal([sizeBytes, mtimeNs], [7, 1_600_000_000_000_000_000n]);
    assert.is(inode, lstatSync(path, { bigint: true }).ino);
    // Neither size nor time tell it from the one that was listed.
    writeFileSync(path, 'CONTENT');
    utimesSync(path, 1_600_000_000, 1_600_000_000);
    const error = await rig.layer.digestFile(path).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.is(error instanceof AppError && error.code, 'epoch-ended');
    assert.is(rig.layer.changes.revision, 1);
    assert.equal(await rig.layer.digestFile(path), digestOf(Buffer.from('CONTENT')));
  });

  test('notes when a file changes that was only told how it looks', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/file', 'content');
    await using rig = await openRig(dir);
    await rig.layer.signFile(path);
    writeFileSync(path, 'CONTENT');
    await rig.absorb();
    assert.is(rig.layer.changes.revision, 1);
  });

  test('notes when something it has served changes', async () => {
    const changes: Record<string, (root: string) => void> = {
      'content of a listed file': (root) => writeFileSync(join(root, 'sub/file'), 'longer content'),
      'content of the same size': (root) => writeFileSync(join(root, 'sub/file'), 'CONTENT'),
      mode: (root) => chmodSync(join(root, 'sub/file'), 0o755),
      'new file': (root) => writeFileSync(join(root, 'sub/new'), ''),
      'removed file': (root) => unlinkSync(join(root, 'sub/file')),
      'renamed directory': (root) => renameSync(join(root, 'sub'), join(root, 'sub2')),
      'removed directory': (root) => rmSync(join(root, 'sub'), { recursive: true }),
      'retargeted link': (root) => execFileSync('ln', ['-sfn', 'b', join(root, 'sub/link')]),
    };
    for (const [what, change] of Object.entries(changes)) {
      await using dir = await tempDir();
      const path = dir.write('root/sub/file', 'content');
      symlinkSync('a', dir.join('root/sub/link'));
      await using rig = await openRig(dir);
      await rig.list(rig.root);
      await rig.layer.digestFile(path);
      await rig.absorb();
      assert.is(rig.layer.changes.revision, 0, what);
      change(rig.root);
      await rig.absorb();
      assert.is(rig.layer.changes.revision, 1, what);
      await rig.absorb();
      assert.is(rig.layer.changes.revision, 1, what);
      await rig.list(rig.root);
      writeFileSync(join(rig.root, 'once more'), '');
      await rig.absorb();
      assert.is(rig.layer.changes.revision, 2, `watched again after: ${what}`);
    }
  });

  test('says which paths changed, and shows the directory as it is now', async () => {
    const changes: Record<string, [(root: string) => void, names: string[], isRelisted: boolean]> = {
      'a new name': [(root) => writeFileSync(join(root, 'new'), ''), ['new'], true],
      'a name that went': [(root) => unlinkSync(join(root, 'file')), ['file'], true],
      'another kind': [
        (root) => {
          unlinkSync(join(root, 'file'));
          mkdirSync(join(root, 'file'));
        },
        ['file'],
        true,
      ],
      'a longer file': [(root) => writeFileSync(join(root, 'file'), 'longer content'), ['file'], false],
      'a touched file': [(root) => utimesSync(join(root, 'file'), 1, 1), ['file'], false],
      'another mode': [(root) => chmodSync(join(root, 'file'), 0o755), ['file'], false],
      'another target': [(root) => execFileSync('ln', ['-sfn', 'b', join(root, 'link')]), ['link'], false],
    };
    for (const [what, [change, names, isRelisted]] of Object.entries(changes)) {
      await using dir = await tempDir();
      dir.write('root/file', 'content');
      symlinkSync('a', dir.join('root/link'));
      await using rig = await openRig(dir);
      await rig.list(rig.root);
      change(rig.root);
      await rig.absorb();
      assert.is(rig.layer.epoch, 1, what);
      const { revision, amendments } = rig.layer.amendments(1, 0);
      assert.is(revision, 1, what);
      const bytes = await rig.layer.listDirectory(rig.root);
      assert.equal(amendments, [{ path: rig.root, names, isRelisted, bytes }], what);
      assert.equal(rig.layer.amendments(1, 1), { revision: 1, amendments: [] }, what);
      const later = rig.layer.changes.since(0)!;
      const [found, listed] = [1, 16];
      assert.is(later.touches({ path: join(rig.root, names[0]!), flags: found }), true, what);
      assert.is(later.touches({ path: join(rig.root, 'other'), flags: found }), false, what);
      assert.is(later.touches({ path: rig.root, flags: found }), false, what);
      assert.is(later.touches({ path: rig.root, flags: found | listed }), isRelisted, what);
    }
  });

  test('says that a file changed that was served and is listed as before', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/file', 'content');
    utimesSync(path, 1_600_000_000, 1_600_000_000);
    await using rig = await openRig(dir);
    const former = await rig.layer.digestFile(path);
    writeFileSync(path, 'CONTENT');
    utimesSync(path, 1_600_000_000, 1_600_000_000);
    await rig.absorb();
    assert.equal([rig.layer.epoch, rig.layer.changes.revision], [1, 1]);
    assert.equal(rig.layer.amendments(1, 0).amendments[0]?.names, ['file']);
    assert.is(rig.layer.pathWith(former), undefined);
    assert.equal(await rig.layer.digestFile(path), digestOf(Buffer.from('CONTENT')));
  });

  test('ends the epoch when a directory is no longer the one that was listed', async () => {
    const changes: Record<string, (root: string) => void> = {
      removed: (root) => rmSync(join(root, 'sub'), { recursive: true }),
      'another mode': (root) => chmodSync(join(root, 'sub'), 0o700),
      'another one that looks alike': (root) => {
        execFileSync('cp', ['-a', join(root, 'sub'), join(root, 'sub2')]);
        renameSync(join(root, 'sub'), join(root, 'sub3'));
        renameSync(join(root, 'sub2'), join(root, 'sub'));
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      await using dir = await tempDir();
      dir.write('root/sub/file', 'content');
      await using rig = await openRig(dir);
      await rig.list(join(rig.root, 'sub'));
      change(rig.root);
      await rig.absorb();
      assert.is(rig.layer.epoch, 2, what);
      assert.is(rig.layer.changes.since(0), undefined, what);
      assert.equal(rig.layer.amendments(1, 0), { revision: 0, amendments: [] }, what);
    }
  });

  test('watches a directory again that was away and came back', async () => {
    await using dir = await tempDir();
    dir.write('root/sub/file', 'content');
    await using rig = await openRig(dir);
    await rig.list(join(rig.root, 'sub'));
    renameSync(join(rig.root, 'sub'), join(rig.root, 'away'));
    renameSync(join(rig.root, 'away'), join(rig.root, 'sub'));
    await rig.absorb();
    const { revision } = rig.layer.changes;
    await rig.list(join(rig.root, 'sub'));
    writeFileSync(join(rig.root, 'sub/new'), '');
    await rig.absorb();
    assert.is(rig.layer.changes.revision, revision + 1);
  });

  test('remounted() asks anew what lies below, and looks at what stands there', async () => {
    await using dir = await tempDir();
    dir.write('root/sub/deep/file', '');
    await using rig = await openRig(dir);
    await rig.list(join(rig.root, 'sub'));
    rig.layer.remounted([join(rig.root, 'elsewhere'), join(rig.root, 'sub/deep'), join(rig.root, 'su')]);
    assert.is(rig.layer.changes.revision, 0);
    rig.layer.remounted([join(rig.root, 'sub')]);
    assert.is(rig.layer.epoch, 2);
  });

  test('recheck() finds what has changed without anybody having seen it', async () => {
    const changes: Record<string, (root: string) => void> = {
      'content of a served file': (root) => writeFileSync(join(root, 'sub/file'), 'CONTENT'),
      'its mode': (root) => chmodSync(join(root, 'sub/file'), 0o755),
      'another file in its place': (root) =>
        execFileSync('cp', ['-p', join(root, 'copy'), join(root, 'sub/file')]),
      'new file': (root) => writeFileSync(join(root, 'sub/new'), ''),
      'retargeted link': (root) => execFileSync('ln', ['-sfn', 'b', join(root, 'sub/link')]),
      'removed directory': (root) => rmSync(join(root, 'sub'), { recursive: true }),
      'a file instead of it': (root) => {
        rmSync(join(root, 'sub'), { recursive: true });
        writeFileSync(join(root, 'sub'), '');
      },
      'a file with another name that was not served': (root) =>
        writeFileSync(join(root, 'other/name'), 'longer'),
      nothing: () => {},
    };
    for (const [what, change] of Object.entries(changes)) {
      await using dir = await tempDir();
      const path = dir.write('root/sub/file', 'content');
      dir.write('root/copy', 'content');
      mkdirSync(dir.join('root/other'));
      linkSync(dir.write('root/sub/linked', 'content'), dir.join('root/other/name'));
      symlinkSync('a', dir.join('root/sub/link'));
      await using rig = await openRig(dir);
      await rig.layer.signFile(path);
      change(rig.root);
      rig.layer.recheck();
      assert.is(rig.layer.changes.revision, what === 'nothing' ? 0 : 1, what);
    }
  });

  test('notes nothing of what was not served', async () => {
    await using dir = await tempDir();
    dir.write('root/a/file', '');
    dir.write('root/b/file', '');
    await using rig = await openRig(dir);
    await rig.list(join(rig.root, 'a'));
    dir.write('root/b/file', 'changed');
    dir.write('root/c', 'changed');
    await rig.absorb();
    assert.is(rig.layer.changes.revision, 0);
  });

  test('does not mix revisions: a file that changed since it was listed is not served', async () => {
    await using dir = await tempDir();
    const path = dir.write('root/file', 'content');
    await using rig = await openRig(dir);
    await rig.list(rig.root);
    writeFileSync(path, 'longer content');
    const error = await rig.layer.digestFile(path).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.is(error instanceof AppError && error.code, 'epoch-ended');
    assert.is(rig.layer.changes.revision, 1);
    assert.equal(await rig.layer.digestFile(path), digestOf(Buffer.from('longer content')));
  });

  test('lists a directory once, however many ask', async () => {
    await using dir = await tempDir();
    dir.write('root/file', '');
    await using rig = await openRig(dir);
    const blobs = await Promise.all(Array.from({ length: 20 }, () => rig.layer.listDirectory(rig.root)));
    for (const blob of blobs) assert.is(blob, blobs[0]);
  });
});

type Ask = (path: string) => Promise<unknown>;

/** Neither digest nor look of the files, and no listing of the folders, is to be had. */
async function refuses({ layer, root }: Rig, files: string[], folders: string[]): Promise<void> {
  const calls: [string, Ask][] = [
    ...files.map((file): [string, Ask] => [file, (path) => layer.digestFile(path)]),
    ...files.map((file): [string, Ask] => [file, (path) => layer.signFile(path)]),
    ...folders.map((path): [string, Ask] => [path, (at) => layer.listDirectory(at)]),
  ];
  for (const [what, call] of calls) {
    const error = await call(join(root, what)).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.ok(isErrno(error, 'EACCES'), `${what}: ${error}`);
  }
}

/** A layer over the whole machine, in which `<dir>/root` is what the test looks at. */
async function openRig(
  dir: TempDir,
  hidden: string[] = [],
  { project = 'no project', home = 'no home' } = {},
): Promise<Rig> {
  const scope = new Scope();
  const root = realpathSync(dir.join('root'));
  const watcher = scope.use(await Watcher.start());
  const cache = scope.use(await StatCache.open(dir.join('state/db'), { onNotice: () => {} }));
  const privacy = new Privacy({ projectRoot: join(root, project), homes: [join(root, home)] });
  const layer = new SystemLayer({ watcher, cache, privacy, hidden: hidden.map((name) => join(root, name)) });
  return {
    layer,
    root,
    list: async (path) => decodeDirectory(await layer.listDirectory(path)),
    absorb: async () => layer.absorb(await watcher.drain()),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}
