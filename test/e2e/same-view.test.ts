import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle } from '../rigs/user.ts';

for (const user of availableUsers()) {
  suite(`What a command sees, as ${user} user`, (test) => {
    test.before(() => {
      const obstacle = sandboxObstacle();
      if (obstacle) skip(obstacle, 'fuse');
    });

    test('is the link count, change time and identity of project files as they are here', async () => {
      await using rig = await rigWithLinks(user);
      // The uppermost bits of inode numbers are the sandbox's own.
      const line = [
        'sh',
        '-c',
        `stat -c '%n %h %Y %Z %s %a' a b link sub; python3 -c 'import os; print(os.stat("a").st_ino & 0xffffffff)'`,
      ];
      const plain = await rig.run(line);
      const { stdout, report, stderr } = await rig.report(['run', ...line]);
      assert.equal([report.remote, report.local], [1, 0], stderr);
      assert.is(stdout, plain.stdout);
      const same = await rig.report([
        'run',
        'sh',
        '-c',
        'test a -ef b && ! test a -ef c && ls -i a b | cut -c1-20',
      ]);
      assert.equal([same.status, same.report.remote], [0, 1], same.stderr);
    });

    test('is what files and folders take on the disk, and their size', async () => {
      await using rig = await rigWithLinks(user);
      await rig.run([
        'sh',
        '-c',
        'head -c 5000 /dev/zero >plain; mkdir many; cd many; touch $(seq -f %0200g 300)',
      ]);
      await rig.run(['sh', '-c', 'truncate -s 3G holes; printf x | dd of=holes seek=1000000 conv=notrunc']);
      const line = ['sh', '-c', "stat -c '%n %s %b' plain many sub link holes /usr /usr/bin /bin/sh"];
      const plain = await rig.run(line);
      const { stdout, report, stderr } = await rig.report(['run', ...line]);
      assert.equal([report.remote, report.local], [1, 0], stderr);
      assert.is(stdout, plain.stdout);
    });

    test('is a file whose holes only this machine knows: what asks for them runs here', async () => {
      await using rig = await rigWithLinks(user);
      await rig.run(['sh', '-c', 'truncate -s 3G holes; printf x | dd of=holes seek=1000000 conv=notrunc']);
      const pack = 'tar --sparse --mtime=@0 -cf';
      const plain = await rig.run(['sh', '-c', `${pack} - holes | cksum`]);
      const { report, stderr } = await rig.report(['run', 'sh', '-c', `${pack} out.tar holes`]);
      assert.equal(report.localByReason, { hidden: 1 }, stderr);
      assert.is((await rig.run(['sh', '-c', 'cksum <out.tar'])).stdout, plain.stdout);
      const other = await rig.report(['run', 'sh', '-c', `${pack} other.tar a b`]);
      assert.is(other.report.remote, 1, other.stderr);
    });

    test('is one file under several names: what writes to it runs here, what only reads it or links it does not', async () => {
      await using rig = await rigWithLinks(user);
      const build = async (line: string) => {
        const { status, report, stderr } = await rig.report(['run', 'sh', '-c', line]);
        assert.is(status, 0, stderr);
        return [report.remote, report.localByReason];
      };
      assert.equal(await build('echo more >> a; cat b > seen'), [0, { linked: 1 }]);
      assert.is(readFileSync(join(rig.project, 'seen'), 'utf8'), 'text\nmore\n');
      // How many names the others say there are would not be true any more.
      assert.equal(await build('ln a more; stat -c %h b more >counts'), [0, { linked: 1 }]);
      assert.is(readFileSync(join(rig.project, 'counts'), 'utf8'), '3\n3\n');
      assert.equal(await build('rm more; stat -c %h b >counts'), [0, { linked: 1 }]);
      assert.is(readFileSync(join(rig.project, 'counts'), 'utf8'), '2\n');
      assert.equal(await build('sed -i s/text/other/ a'), [0, { linked: 1 }]);
      assert.is(readFileSync(join(rig.project, 'b'), 'utf8'), 'text\nmore\n');
      assert.equal(await build('tar cf t.tar a b; ln c d; cp b e'), [1, {}]);
      const listed = await rig.run(['tar', 'tvf', 't.tar']);
      assert.not.match(listed.stdout, /link to/);
      assert.is((await rig.run(['sh', '-c', 'test c -ef d'])).status, 0);
    });

    test('is a clean tree, for git', async () => {
      await using rig = await rigWithLinks(user);
      if ((await rig.run(['git', '--version'])).status !== 0) skip('there is no git', 'tools');
      const git = 'git -c user.name=n -c user.email=e -c safe.directory=*';
      await rig.run([
        'sh',
        '-c',
        `git init -q . && git add . && ${git} commit -qm one && sleep 1.1 && git status >/dev/null`,
      ]);
      const line = 'git diff-index --quiet HEAD && git diff-files --quiet && echo clean';
      const { stdout, stderr, report } = await rig.report(['run', 'sh', '-c', line]);
      assert.equal([stdout, report.remote], ['clean\n', 1], stderr);
    });

    test('is what its caller has: resource limits, ignored signals, host and domain name', async () => {
      await using rig = await rigWithLinks(user);
      const look =
        'ulimit -s; ulimit -c; ulimit -n; uname -n; cat /proc/sys/kernel/domainname; kill -HUP $$$$; echo alive';
      writeFileSync(join(rig.project, 'Makefile'), `all: ; @cat a; ${look}\n`);
      const within = (make: string) =>
        `trap "" HUP; ulimit -s 4096; ulimit -c 0; ulimit -n 300; exec ${make}`;
      const plain = await rig.run(['sh', '-c', within('make')]);
      const { stdout, report, stderr } = await rig.report(['build', 'sh', '-c', within('make')]);
      assert.match(plain.stdout, /^text\n4096\n0\n300\n(.*\n){2}alive\n$/);
      assert.equal([stdout, report.remote], [plain.stdout, 1], stderr);
      const again = await rig.report(['build', 'sh', '-c', within('make')]);
      assert.equal([again.stdout, again.report.cached], [plain.stdout, 1], again.stderr);
      const other = await rig.report(['build', 'sh', '-c', within('make').replace('4096', '5000')]);
      assert.equal([other.stdout, other.report.cached], [plain.stdout.replace('4096', '5000'), 0]);
      assert.match((await rig.termite(['why'])).stdout, /limit/);
    });

    test('is another process id in each command', async () => {
      await using rig = await rigWithLinks(user);
      writeFileSync(
        join(rig.project, 'Makefile'),
        `all: ${[1, 2, 3, 4, 5, 6].map((n) => `log${n}`).join(' ')}\nlog%: ; @sh -c 'cat a > pid.$$$$'\n`,
      );
      const { status, report, stderr } = await rig.report(['make', '-j3']);
      assert.equal([status, report.remote], [0, 6], stderr);
      const names = execFileSync('ls', [rig.project], { encoding: 'utf8' }).split('\n');
      assert.is(names.filter((name) => name.startsWith('pid.')).length, 6);
    });
  });
}

async function rigWithLinks(user: 'root' | 'ordinary'): Promise<TermiteRig> {
  const rig = new TermiteRig(user);
  await rig.run(['sh', '-c', 'echo text > a; echo text > c; ln a b; ln -s a link; mkdir sub']);
  return rig;
}
