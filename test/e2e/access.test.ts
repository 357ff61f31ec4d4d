import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, ordinaryId, sandboxObstacle, type User } from '../rigs/user.ts';

/** Files and folders of root's, by mode and group; of each kind one. */
const files = [0o644, 0o640, 0o600, 0o666, 0o755, 0o700, 0o444, 0o4711];
const groupFiles = [0o640, 0o660, 0o604, 0o750];
const directories = [0o755, 0o711, 0o700, 0o1777, 0o500];

class OthersFolder implements Disposable {
  readonly path: string;
  readonly names: string[] = [];

  /** In a place that sandboxes show, and that an ordinary user can enter. */
  constructor() {
    const place = resolve(import.meta.dirname, '../..');
    if (/^\/(tmp|var\/tmp|run)\//.test(`${place}/`)) skip('the checkout lies where sandboxes show nothing');
    for (let at = place; at !== '/'; at = dirname(at)) {
      if ((statSync(at).mode & 0o005) !== 0o005) skip(`"${at}" is not for everybody`);
    }
    this.path = mkdtempSync(join(place, 'termite-access-'));
    chmodSync(this.path, 0o755);
    for (const mode of files) this.#file(`file-${mode.toString(8)}`, mode);
    for (const mode of groupFiles) this.#file(`group-${mode.toString(8)}`, mode, ordinaryId);
    for (const mode of directories) {
      const name = `dir-${mode.toString(8)}`;
      mkdirSync(join(this.path, name));
      writeFileSync(join(this.path, name, 'inside'), 'x');
      chmodSync(join(this.path, name), mode);
      this.names.push(name);
    }
  }

  #file(name: string, mode: number, gid = 0): void {
    const path = join(this.path, name);
    writeFileSync(path, `${name}\n`);
    chownSync(path, 0, gid);
    chmodSync(path, mode);
    this.names.push(name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

function needRootAndSandbox(): void {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  if (process.getuid?.() !== 0) skip('only root can make files of two owners');
}

/** What a command in the sandbox says to the same questions, and how many ran beside make. */
async function ask(user: User, script: string) {
  await using rig = new TermiteRig(user);
  const plain = await rig.run(['sh', '-c', script]);
  const { stdout, stderr, report } = await rig.report(['run', 'sh', '-c', script]);
  return { plain: plain.stdout, stdout, stderr, report };
}

suite('access(2) in a sandbox', (test) => {
  for (const user of availableUsers()) {
    test(`answers as it does here, ${user} user`, async () => {
      needRootAndSandbox();
      using others = new OthersFolder();
      const paths = [
        ...others.names.map((name) => join(others.path, name)),
        '/etc/passwd',
        '/usr',
        '/usr/bin/env',
      ];
      if (existsSync('/etc/shadow')) paths.push('/etc/shadow');
      const script = `for f in ${paths.join(' ')}; do
        for t in r w x; do test -$t $f && echo "$t $f"; done
      done; :`;
      const { plain, stdout, stderr, report } = await ask(user, script);
      assert.is(stdout, plain, stderr);
      assert.equal([report.remote, report.localByReason], [1, {}], stderr);
    });
  }

  test('refuses an ordinary user what is refused here, without running again', async () => {
    needRootAndSandbox();
    using others = new OthersFolder();
    const script = `cd ${others.path}; { cat file-640; echo >> file-644; cat dir-700/inside; ls dir-711 dir-500;
      mkdir dir-755/x; cat group-640; cat dir-1777/inside; } 2>&1
      for c in 'rm -f dir-755/inside' 'chmod 777 file-755' 'touch -c file-755'; do $c 2>/dev/null || echo no $c; done`;
    const { plain, stdout, stderr, report } = await ask('ordinary', script);
    assert.is(stdout, plain, stderr);
    assert.equal([report.remote, report.localByReason], [1, {}], stderr);
  });

  for (const line of [
    'echo >> file-666',
    'echo x > dir-1777/new',
    'echo >> group-660',
    'cat dir-711/inside',
  ]) {
    test(`does not refuse in silence what an ordinary user may do here: ${line}`, async () => {
      needRootAndSandbox();
      using others = new OthersFolder();
      const { plain, stdout, stderr, report } = await ask(
        'ordinary',
        `cd ${others.path}; { ${line}; } 2>&1; :`,
      );
      assert.is(stdout, plain, stderr);
      assert.is(report.local, 1, `${stderr} ${JSON.stringify(report)}`);
    });
  }
});
