import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle } from '../rigs/user.ts';

/** Places that sandboxes may show as they are: what is below /tmp and the like is private to each of them. */
const places = [resolve(import.meta.dirname, '../..'), homedir()];
const visiblePlace = places.find((place) => !/^\/(tmp|var\/tmp|run)\//.test(`${place}/`));

/** What commands see and leave outside the project. */
suite('Around the project', (test) => {
  test('a private file is read where it may be: the command runs again locally', async () => {
    await using rig = rigInSight();
    const [open, secret] = [join(rig.base, 'open'), join(rig.base, 'secret')];
    writeFileSync(open, 'open\n', { mode: 0o644 });
    writeFileSync(secret, 'secret\n', { mode: 0o600 });
    const first = await rig.report(['run', 'cat', open]);
    assert.equal([first.stdout, first.report.remote, first.report.local], ['open\n', 1, 0]);
    const second = await rig.report(['run', 'cat', secret]);
    assert.equal([second.stdout, second.status], ['secret\n', 0], second.stderr);
    assert.equal(second.report.localByReason, { 'private-file': 1 });
  });

  test('a write outside is done where it may be: the command runs again locally', async () => {
    await using rig = rigInSight();
    const target = join(rig.base, 'installed');
    const outcome = await rig.report(['run', 'cp', 'program', target]);
    assert.is(outcome.status, 0, outcome.stderr);
    assert.is(readFileSync(target, 'utf8'), 'program\n');
    assert.equal(outcome.report.localByReason, { 'refused-write': 1 });
    assert.match(outcome.stderr, target);
  });

  test('what a command leaves in the home folder and in /tmp is there: it runs here, the next time at once', async () => {
    await using rig = rigInSight();
    writeFileSync(
      join(rig.project, 'Makefile'),
      'all: a b\na b:\n\techo > $(HOME)/left-$@; echo > /tmp/left-$@; touch $@\n',
    );
    const left = ['a', 'b'].flatMap((name) => [`${rig.env.HOME}/left-${name}`, `/tmp/left-${name}`]);
    for (const round of ['first', 'second']) {
      const outcome = await rig.report(['make', '-j2']);
      assert.is(outcome.status, 0, outcome.stderr);
      assert.equal(outcome.report.localByReason, { 'left-outside': 2 }, round);
      for (const path of left) {
        assert.ok(existsSync(path), `${round}: ${path}`);
        rmSync(path);
      }
      await rig.run(['rm', 'a', 'b']);
    }
    const line = `echo > ${rig.env.HOME}/left-a; echo > /tmp/left-a; touch a`;
    assert.match((await rig.termite(['rules', line])).stdout, /but locally +in the last build it left "/);
  });

  test('a file of the system that changes is seen by the next command of the same build', async () => {
    await using rig = rigInSight();
    const header = join(rig.base, 'header');
    writeFileSync(header, 'old\n');
    const rules = [{ Regexp: 'new >', Local: true }];
    writeFileSync(join(rig.project, '.termite-localrc'), JSON.stringify(rules));
    writeFileSync(
      join(rig.project, 'Makefile'),
      `all: after\nbefore:\n\tcat ${header} > before\nchanged: before\n\techo new > ${header}; touch changed\nafter: changed\n\tcat ${header} > after\n`,
    );
    const outcome = await rig.report(['make']);
    assert.equal([outcome.report.remote, outcome.report.local], [2, 1], outcome.stderr);
    const read = (name: string) => readFileSync(join(rig.project, name), 'utf8');
    assert.equal([read('before'), read('after')], ['old\n', 'new\n']);
  });

  test('what nobody looked at may change while a build runs: all results are kept, and none is lost', async () => {
    await using rig = rigInSight();
    const [header, folder] = [join(rig.base, 'header'), join(rig.base, 'listed')];
    writeFileSync(header, 'old\n');
    writeFileSync(join(rig.base, 'removed'), '');
    mkdirSync(folder);
    const change = `echo x > ${rig.base}/made-$@; echo more >> ${rig.base}/made-a; rm -f ${rig.base}/removed; mkdir -p ${rig.base}/dir/deep`;
    writeFileSync(join(rig.project, '.termite-localrc'), JSON.stringify([{ Regexp: 'made-', Local: true }]));
    writeFileSync(
      join(rig.project, 'Makefile'),
      `all: a b c d\na b c:\n\t${change}; touch $@; sleep 1\nd:\n\tcat ${header} > $@; sleep 2; ls ${folder} >> $@\n`,
    );
    const first = await rig.report(['make', '-j4']);
    assert.equal([first.report.remote, first.report.localByReason['rule']], [1, 3], first.stderr);
    rmSync(join(rig.project, 'd'));
    writeFileSync(join(rig.base, 'made between'), '');
    const second = await rig.report(['make']);
    assert.equal([second.report.cached, second.report.commands], [1, 1], second.stderr);
    // What it listed counts by its names.
    writeFileSync(join(folder, 'new'), '');
    rmSync(join(rig.project, 'd'));
    const third = await rig.report(['make']);
    assert.equal([third.report.cached, third.report.remote], [0, 1], third.stderr);
    assert.is(readFileSync(join(rig.project, 'd'), 'utf8'), 'old\nnew\n');
  });

  test('a file of the system is read where it is, and its content counts for the cache', async () => {
    await using rig = rigInSight();
    const header = join(rig.base, 'header');
    const countLines = async (content: string) => {
      writeFileSync(header, content);
      const { stdout, report } = await rig.report(['run', 'grep', '-c', 'e', header]);
      return [stdout, report.remote, report.cached];
    };
    assert.equal(await countLines('some'), ['1\n', 1, 0]);
    assert.equal(await countLines('some'), ['1\n', 0, 1]);
    assert.equal(await countLines('more'), ['1\n', 1, 0]);
    const { hash } = digestOf(Buffer.from('more'));
    assert.not(existsSync(join(rig.base, 'cache/termite/cas', hash.slice(0, 2), hash)));
  });

  test('a file of the system that is written to unseen while jobs have it open is read anew', async () => {
    await using rig = rigInSight();
    const [seen, unseen] = [join(rig.base, 'seen'), join(rig.base, 'unseen')];
    for (const dir of [seen, unseen]) mkdirSync(dir, { mode: 0o755 });
    const file = join(seen, 'file');
    const reset = () => writeFileSync(file, 'a'.repeat(2 ** 20));
    reset();
    // Nobody is told of what is done by another name of the file.
    linkSync(file, join(unseen, 'file'));
    const write = `printf ZZZZZ | dd of=${unseen}/file bs=1 seek=1048571 conv=notrunc 2>/dev/null`;
    writeFileSync(
      join(rig.project, 'Makefile'),
      `all: last\nfirst: ; head -c 5 ${file} > $@\nlast: first\n\t${write}\n\ttail -c 5 ${file} > $@\n`,
    );
    writeFileSync(join(rig.project, '.termite-localrc'), '[{ "Regexp": "dd of", "Local": true }]');
    const last = () => readFileSync(join(rig.project, 'last'), 'utf8');
    const built = await rig.report(['make']);
    assert.equal([last(), built.report.fallbacks], ['ZZZZZ', 0], built.stderr);
    reset();
    await rig.run(['rm', 'first', 'last']);
    writeFileSync(join(rig.project, 'Makefile'), `last: ; tail -c 5 ${file} > $@\n`);
    const again = await rig.report(['make']);
    assert.equal([last(), again.report.cached], ['aaaaa', 0], again.stderr);
  });

  test('a file that the user may not read is refused as it is here', async () => {
    const user = 'ordinary';
    if (!availableUsers().includes(user)) skip('root may read everything');
    if (!existsSync('/etc/shadow')) skip('there is no /etc/shadow');
    await using rig = new TermiteRig(user);
    // Such a line succeeds without having read anything.
    const argv = ['sh', '-c', 'while read line; do echo "$line"; done < /etc/shadow; echo $?'];
    const plain = await rig.run(argv);
    const { status, stdout, report, stderr } = await rig.report(['run', ...argv]);
    assert.equal([status, stdout], [plain.status, plain.stdout], stderr);
    assert.equal([report.remote, report.localByReason], [1, {}], stderr);
  });

  test('commands have no network and no way to other processes', async () => {
    await using rig = rigInSight();
    const script =
      'ls /sys/class/net /proc/sys/net >/dev/null 2>&1; cat /proc/net/dev | tail -n +3 | cut -d: -f1; kill -0 $PPID; ls -d /proc/[0-9]* | wc -l';
    const outcome = await rig.report(['run', 'sh', '-c', script]);
    assert.is(outcome.report.remote, 1, outcome.stderr);
    const [device, processCount] = outcome.stdout.trim().split(/\s+/);
    assert.is(device, 'lo');
    assert.ok(Number(processCount) < 10, outcome.stdout);
  });

  test('a script without #! is run by the shell, a program that is missing or no program is told apart', async () => {
    await using rig = rigInSight();
    writeFileSync(join(rig.project, 'script'), 'echo ran\n', { mode: 0o755 });
    assert.is((await rig.termite(['run', './script'])).stdout, 'ran\n');
    assert.is((await rig.termite(['run', './missing'])).status, 127);
    assert.is((await rig.termite(['run', './program'])).status, 126);
  });
});

function rigInSight(): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  if (visiblePlace === undefined) skip('checkout and home folder lie where sandboxes show nothing');
  const rig = new TermiteRig('root', { below: visiblePlace });
  chmodSync(rig.base, 0o755);
  mkdirSync(join(rig.project, 'folder'));
  writeFileSync(join(rig.project, 'program'), 'program\n');
  return rig;
}
