import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { randomOf } from '../harness/random.ts';
import { patience } from '../harness/slowness.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';
import { nativeShell } from '../rigs/termite.ts';
import { availableUsers, ordinaryId, type User } from '../rigs/user.ts';

const seed = Number(process.env['TERMITE_TEST_SEED'] ?? 1);
const lineCount = Number(process.env['TERMITE_TEST_LINES'] ?? 150);
/** Older than anything that a line does. */
const longAgoSeconds = 1_000_000_000;

/** What the shell says, after it has done what it could, where there is no master to ask about the rest. */
const askedInVain = 'termite: master is gone: running locally\n';

type Pick = <Value>(...values: readonly Value[]) => Value;

/** A line of commands that are trifles, or nearly, over the names that `makeTree` makes, and others. */
function randomLine(pick: Pick): string {
  const name = () =>
    pick(
      ...[
        'a',
        'a',
        'b',
        'b',
        'c',
        'ro',
        'dark',
        'hard',
        'fifo',
        'new',
        'new',
        'new',
        'other',
        'dir',
        'empty',
      ],
      ...[
        'file-link',
        'dir-link',
        'dangling',
        'dangling-far',
        'loop',
        'dir/file',
        'dir/new',
        'dir/sub',
        'dir/a',
      ],
      ...[
        'locked/file',
        'locked/new',
        'sticky/theirs',
        'sticky/new',
        'setgid/file',
        'setgid/new',
        'dir-link/new',
      ],
      ...[
        './a',
        './new',
        'dir//new',
        'dir//file',
        'dir/../a',
        '../cwd/a',
        '../up',
        '.',
        '..',
        'dir/.',
        'dir/..',
        'new/.',
      ],
      ...[
        'a/',
        'dir/',
        'new/',
        'new/deep',
        'a/b',
        'no/such/one',
        'dir-link/',
        'file-link/.',
        'n=1',
        '%+,:@',
        '-x',
      ],
    );
  const word = () => {
    const plain = name();
    return pick(plain, plain, plain, `"${plain}"`, `'${plain}'`, `${plain.slice(0, 1)}"${plain.slice(1)}"`);
  };
  const words = (most: number) =>
    Array.from({ length: pick(1, 1, 1, most) }, word).join(pick(' ', '  ', '\t'));
  const folder = pick('', '', '', '', '/bin/', '/usr/bin/');
  const command = () =>
    pick(
      () => `${folder}mv ${word()} ${word()}`,
      () => `${folder}mv ${word()} ${word()}`,
      () => `mkdir -p ${pick('new', 'dir/new', 'setgid/new', 'new;mkdir -p new/deep')}`,
      () => `mv ${word()} ${pick('b', 'file-link', 'dir-link', 'dangling', 'hard', 'fifo', 'dir/file')}`,
      () => `mv -f ${pick('a', 'c', 'dir-link', 'fifo')} ${word()}`,
      () => `${folder}mv -f ${word()} ${word()}`,
      () => `mv ${pick('-n', '-T', '--', '-v', '-u')} ${word()} ${word()}`,
      () => `${folder}mkdir -p ${words(3)}`,
      () => `${folder}touch ${words(2)} ${words(2)}`,
      () => `rm -f ${words(2)};mv -f ${word()} ${word()}`,
      () => `mkdir ${pick('', '-pv', '-m700 -p')} ${words(2)}`,
      () => `${folder}rm -f ${words(3)}`,
      () => `${folder}touch ${words(3)}`,
      () => `touch ${pick('-c', '-r a', '-h')} ${word()}`,
      () => `echo ${pick('', '-n', 'x', "''", '"  GEN  "', 'a:b', '"$HOME"', '\\\\n')} ${words(2)}`,
      () =>
        pick(
          'echo',
          ':',
          'true',
          'false',
          'pwd',
          ': x',
          'mv',
          'mv a',
          'touch',
          'rm -f',
          'mkdir -p',
          'cd dir',
        ),
    )();
  let line = pick('', '', '', ' ') + command();
  while (pick(true, false, false)) line += pick(';', ';', '; ', ' ;', '&&', ' && ', ' || ', '\n') + command();
  return line + pick('', '', '', '', '', '', '', ';', ' ', ' #', ' &&', ' 2>&1');
}

/** Relative paths of all entries, not following symlinks; folders before what they hold. */
function namesBelow(top: string, folder = ''): string[] {
  return readdirSync(join(top, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = join(folder, entry.name);
      return entry.isDirectory() ? [name, ...namesBelow(top, name)] : [name];
    });
}

interface Circumstances {
  shell: string;
  option: string;
  umask: number;
  path: string | undefined;
  output: 'apart' | 'together' | 'full' | 'closed';
}

function randomCircumstances(pick: Pick, bin: string): Circumstances {
  const usual = '/usr/local/bin:/usr/bin:/bin';
  return {
    shell: pick('/bin/sh', '/bin/bash', '/bin/dash'),
    option: pick('-c', '-c', '-ec'),
    umask: pick(0o022, 0o022, 0o002, 0, 0o077, 0o777, 0o333),
    path: pick(
      usual,
      usual,
      usual,
      usual,
      usual,
      usual,
      usual,
      usual,
      usual,
      `${bin}:${usual}`,
      `/nowhere:${usual}`,
      `${usual}:`,
      '',
      'dir',
      undefined,
    ),
    output: pick('apart', 'apart', 'together', 'together', 'apart', 'together', 'full', 'closed'),
  };
}

/** The folder below which everything happens: `top/cwd` is where lines are run. All is old, and the user's unless it says otherwise. */
function makeTree(top: string, user: User): void {
  process.umask(0);
  const cwd = join(top, 'cwd');
  for (const name of ['', 'dir', 'dir/sub', 'dir/a', 'empty', 'locked', 'sticky', 'setgid'])
    mkdirSync(join(cwd, name), { recursive: true });
  for (const name of ['a', 'b', 'c', 'ro', 'dark', 'dir/file', 'locked/file', 'sticky/theirs', 'setgid/file'])
    writeFileSync(join(cwd, name), `${name}\n`, { mode: 0o644 });
  linkSync(join(top, '../fifo'), join(cwd, 'fifo'));
  linkSync(join(cwd, 'a'), join(cwd, 'hard'));
  const links = {
    'file-link': 'a',
    'dir-link': 'dir',
    dangling: 'nowhere',
    'dangling-far': 'no/where',
    loop: 'loop',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(cwd, name));
  const names = namesBelow(top).reverse();
  const modes: Record<string, number> = { ro: 0o444, dark: 0, locked: 0o555, sticky: 0o1777, setgid: 0o2775 };
  if (user === 'ordinary' && process.getuid?.() === 0) {
    for (const name of ['', ...names]) lchownSync(join(top, name), ordinaryId, ordinaryId);
    for (const name of ['sticky', 'sticky/theirs', 'b']) chownSync(join(cwd, name), 0, 0);
    chownSync(join(cwd, 'setgid'), ordinaryId, 0);
  }
  for (const [name, mode] of Object.entries(modes)) chmodSync(join(cwd, name), mode);
  for (const name of [...names, '']) lutimesSync(join(top, name), longAgoSeconds, longAgoSeconds);
}

/** Whatever can be told of a tree: kinds, owners, modes, contents, which names are of one file, and what is new. */
function describeTree(top: string): string[] {
  const firstNames = new Map<number, string>();
  return ['', ...namesBelow(top)].map((name) => {
    const path = join(top, name);
    const stats = lstatSync(path);
    const first = firstNames.get(stats.ino) ?? name;
    firstNames.set(stats.ino, first);
    const content = stats.isFile()
      ? readFileSync(path, 'utf8')
      : stats.isSymbolicLink()
        ? readlinkSync(path)
        : '';
    const age = (ms: number) => (ms === longAgoSeconds * 1000 ? 'old' : 'new');
    // That of a symlink changes with a look at where it leads.
    const times = stats.isFile() ? `${age(stats.mtimeMs)} ${age(stats.atimeMs)}` : age(stats.mtimeMs);
    const links = stats.isDirectory() ? '' : `${stats.nlink} ${first}`;
    return `${name}: ${stats.mode.toString(8)} ${stats.uid}:${stats.gid} ${times} ${links} ${JSON.stringify(content)}`;
  });
}

interface Effect {
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  tree: string[];
}

/** Runs a line in a fresh tree. */
function effectOf(
  program: string,
  line: string,
  about: Circumstances,
  { dir, user }: { dir: TempDir; user: User },
): Effect {
  const top = dir.join('top');
  makeTree(top, user);
  const out = openSync(about.output === 'full' ? '/dev/full' : dir.join('out'), 'a');
  const err = openSync(dir.join('err'), 'a');
  const argv = [about.option, line];
  const closing = ['-c', 'exec "$@" >&-', 'sh', program, ...argv];
  process.umask(about.umask);
  const { status, signal } = spawnSync(
    about.output === 'closed' ? '/bin/sh' : program,
    about.output === 'closed' ? closing : argv,
    {
      cwd: join(top, 'cwd'),
      env: {
        ...{ LC_ALL: 'C', HOME: '/nowhere', TERMITE_SHELL: about.shell, TERMITE_TRIFLES: '1' },
        ...{
          TERMITE_SOCKET: dir.join('no-master'),
          ...(about.path === undefined ? {} : { PATH: about.path }),
        },
      },
      stdio: ['ignore', out, about.output === 'together' ? out : err],
      timeout: patience(10_000),
      ...(user === 'ordinary' && process.getuid?.() === 0 ? { uid: ordinaryId, gid: ordinaryId } : {}),
    },
  );
  process.umask(0o022);
  for (const fd of [out, err]) closeSync(fd);
  const read = (name: string) => {
    const text = about.output === 'full' && name === 'out' ? '' : dir.read(name);
    rmSync(dir.join(name), { force: true });
    return text;
  };
  const tree = describeTree(top);
  rmSync(top, { recursive: true });
  return { status, signal, stdout: read('out'), stderr: read('err'), tree };
}

for (const user of availableUsers()) {
  suite(`Trifles, as ${user} user`, (test) => {
    test(`are what shell and coreutils would have done (seed ${seed})`, async () => {
      await using dir = await tempDir();
      chmodSync(dir.path, 0o755);
      spawnSync('mkfifo', [dir.join('fifo')]);
      dir.write('bin/mv', '#!/bin/sh\necho "not the usual mv: $*"\n', { mode: 0o755 });
      const random = randomOf(seed);
      const pick: Pick = (...values) => values[random(values.length)]!;
      let doneAlone = 0;
      for (let count = 0; count < lineCount; count++) {
        const line = randomLine(pick);
        const about = randomCircumstances(pick, dir.join('bin'));
        const wanted = effectOf(about.shell, line, about, { dir, user });
        const { stdout, stderr, ...rest } = effectOf(nativeShell, line, about, { dir, user });
        const hasAsked = (stdout + stderr).includes(askedInVain);
        if (!hasAsked) doneAlone += 1;
        const got = {
          ...rest,
          stdout: stdout.replace(askedInVain, ''),
          stderr: stderr.replace(askedInVain, ''),
        };
        assert.equal(got, wanted, JSON.stringify({ line, about }));
      }
      assert.ok(doneAlone > lineCount / 20, `only ${doneAlone} of ${lineCount} lines were trifles`);
    });
  });
}
