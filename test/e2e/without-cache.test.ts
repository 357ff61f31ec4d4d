import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, type User } from '../rigs/user.ts';

/** A project whose build ends with 2 after it has made a file. */
class Failing extends TermiteRig {
  constructor(user: User) {
    super(user);
    writeFileSync(join(this.project, 'Makefile'), 'all: made ; @exit 7\nmade: ; sed s/a/b/ Makefile > $@\n');
  }

  /** Builds through a shell fragment in a mount namespace where it may hide things. @returns what we say */
  async build(preparation: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const through = ['unshare', '-m', 'sh', '-c', `set -e; ${preparation}; exec "$@"`, 'sh'];
    const { status, stderr, stdout } = await this.termite(['make', '-s'], {
      ...{ through, env: { ...this.env, ...env } },
    });
    assert.is(status, 2, stdout + stderr);
    assert.match(stderr, /Error 7\n/);
    assert.not.match(stderr, /^ +at |node:|\.[jt]s:\d/m, 'no stack');
    assert.is(
      (await this.run(['cat', 'made'])).stdout,
      (await this.run(['sed', 's/a/b/', 'Makefile'])).stdout,
    );
    return stderr.replaceAll(/^make.*\n/gm, '');
  }
}

function needRoot(): void {
  if (process.getuid?.() !== 0) skip('mounting needs root');
}

const cannot = (cause: string) =>
  new RegExp(
    `^termite: building without Termite: Cannot use the cache folder "[^"]*/termite": [^\\n]*${cause}[^\\n]*\\n {2}Make it`,
  );

suite('A build', (test) => {
  test('goes on without a cache folder that is read-only', async () => {
    needRoot();
    await using rig = new Failing('root');
    mkdirSync(rig.env['XDG_CACHE_HOME']!);
    const readOnly = 'mount -t tmpfs -o ro none "$XDG_CACHE_HOME"';
    assert.match(await rig.build(readOnly), cannot('EROFS'));
  });

  test('goes on without a home folder that is read-only', async () => {
    needRoot();
    await using rig = new Failing('root');
    const readOnly = 'mount -t tmpfs -o ro none "$HOME"';
    assert.match(await rig.build(readOnly, { XDG_CACHE_HOME: '' }), cannot('EROFS'));
  });

  for (const size of ['16k', '64k', '256k', '1m', '4m']) {
    test(`goes on without room for the cache: ${size}`, async () => {
      needRoot();
      await using rig = new Failing('root');
      mkdirSync(rig.env['XDG_CACHE_HOME']!);
      await rig.build(`mount -t tmpfs -o size=${size} none "$XDG_CACHE_HOME"`);
    });
  }

  test('goes on with a full disk below the cache, and says why', async () => {
    needRoot();
    const mounted = 'mount -t tmpfs -o size=SIZE none "$XDG_CACHE_HOME"';
    const fill = 'cat /dev/zero >"$XDG_CACHE_HOME/fill" 2>/dev/null || :';
    const full: Record<string, string> = {
      'from the beginning': `${mounted.replace('SIZE', '64k')}; ${fill}`,
      // It took up all the names that there are, too.
      'without room for a name': `${mounted.replace('SIZE', '64k,nr_inodes=2')}; ${fill}`,
      'after a build': `${mounted.replace('SIZE', '64m')}; "$@" >/dev/null 2>&1 || :; rm made; ${fill}`,
    };
    for (const [when, preparation] of Object.entries(full)) {
      await using rig = new Failing('root');
      mkdirSync(rig.env['XDG_CACHE_HOME']!);
      const said = await rig.build(preparation);
      assert.match(said, cannot('[Nn]o space'), `${when}: ${said}`);
      assert.not.match(said, /still reading/, when);
    }
  });

  for (const user of availableUsers()) {
    test(`goes on where the cache may not be written, as ${user} user`, async () => {
      await using rig = new Failing(user);
      // A file in its place keeps also root out.
      writeFileSync(rig.env['XDG_CACHE_HOME']!, '');
      const { status, stderr } = await rig.termite(['make', '-s']);
      assert.is(status, 2);
      assert.match(stderr, cannot('(?:ENOTDIR|EACCES)'));
    });

    test(`goes on in a project that may not be written, as ${user} user`, async () => {
      await using rig = new TermiteRig(user);
      writeFileSync(join(rig.project, 'Makefile'), 'all: ; @sed -n 1p Makefile\n');
      chmodSync(rig.project, 0o555);
      const { status, stdout, stderr } = await rig.termite(['make']);
      assert.equal([status, stdout], [0, 'all: ; @sed -n 1p Makefile\n'], stderr);
      assert.not.match(stderr, /without Termite/);
      chmodSync(rig.project, 0o755);
    });
  }

  test('tells when $XDG_CACHE_HOME has no effect, and uses the home folder', async () => {
    await using rig = new TermiteRig();
    writeFileSync(join(rig.project, 'Makefile'), 'all: ; @sed -n 1p Makefile\n');
    const env = { ...rig.env, XDG_CACHE_HOME: 'cache' };
    const { stdout, stderr } = await rig.termite(['make'], { env });
    assert.is(stdout, 'all: ; @sed -n 1p Makefile\n');
    assert.match(stderr, /^termite: XDG_CACHE_HOME is no absolute path and has no effect: "cache"\n/);
    assert.match((await rig.termite(['log'], { env })).stdout, /^#1 .*sed/);
  });

  const wrong: [name: string, value: string, said: RegExp][] = [
    ['TERMITE_COORDINATOR', '127.0.0.1:1', /TERMITE_COORDINATOR: expected a URL like https:\/\/HOST:PORT/],
    ['TERMITE_COORDINATOR', 'x y', /TERMITE_COORDINATOR: expected a URL/],
    ['TERMITE_IDLE_SECONDS', 'soon', /TERMITE_IDLE_SECONDS: /],
    ['TERMITE_SOCKET', '/nowhere/socket', /TERMITE_SOCKET is no socket of a master/],
  ];
  for (const [name, value, said] of wrong) {
    test(`goes on without us when ${name} is "${value}"`, async () => {
      await using rig = new Failing('ordinary');
      const { status, stderr } = await rig.termite(['make', '-s'], { env: { ...rig.env, [name]: value } });
      assert.is(status, 2, stderr);
      assert.match(stderr, /^termite: building without Termite: /);
      assert.match(stderr, said);
      assert.not.match(stderr, /^ +at /m);
    });
  }

  test('ends as make does when its report cannot be written', async () => {
    await using rig = new TermiteRig();
    writeFileSync(join(rig.project, 'Makefile'), 'all: ; @sed -n 1p Makefile\n');
    const env = { ...rig.env, TERMITE_REPORT: '/nowhere/report' };
    const { status, stderr } = await rig.termite(['make'], { env });
    assert.is(status, 0);
    assert.match(stderr, /termite: cannot write the report "\/nowhere\/report": ENOENT/);
  });

  test('does not take the whole machine for a project', async () => {
    needRoot();
    await using rig = new TermiteRig();
    writeFileSync(join(rig.base, 'Makefile'), 'all: ; @exit 7\n');
    for (const args of [['-f', join(rig.base, 'Makefile')]]) {
      const { status, stderr } = await rig.termite(['make', '-s', ...args], { cwd: '/' });
      assert.is(status, 2);
      assert.match(stderr, /^termite: building without Termite: "\/" is no project but the whole machine\n/);
    }
    const asked = await rig.termite(['make', '--root', '/', '-s', '-f', join(rig.base, 'Makefile')]);
    assert.is(asked.status, 2, asked.stderr);
    assert.match(asked.stderr, /"\/" is no project/);
    const run = await rig.termite(['run', 'sh', '-c', 'exit 7'], { cwd: '/' });
    assert.is(run.status, 7);
    assert.match(run.stderr, /^termite: running without Termite: "\/" is no project/);
  });
});
