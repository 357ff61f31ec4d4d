import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { availableUsers, sandboxObstacle, type User } from '../rigs/user.ts';

/** In a place that sandboxes show, and that an ordinary user can enter. */
function rigFor(user: User): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  const place = resolve(import.meta.dirname, '../..');
  if (/^\/(tmp|var\/tmp|run)\//.test(`${place}/`)) skip('the checkout lies where sandboxes show nothing');
  for (let at = place; at !== '/'; at = dirname(at))
    if ((statSync(at).mode & 0o005) !== 0o005) skip(`"${at}" is not for everybody`);
  return new TermiteRig(user, { below: place });
}

for (const user of availableUsers()) {
  suite(`What is private (${user})`, (test) => {
    test('is read beside make, and not in a sandbox', async () => {
      await using rig = rigFor(user);
      const home = rig.env['HOME']!;
      mkdirSync(join(rig.base, 'closed/sub'), { recursive: true });
      for (const path of ['closed/file', 'closed/sub/file', 'home/.netrc']) write(rig, path);
      mkdirSync(join(home, '.ssh'));
      write(rig, 'home/.ssh/config');
      mkdirSync(join(home, 'keys'));
      write(rig, 'home/keys/key');
      symlinkSync('keys', join(home, '.aws'));
      chmodSync(join(rig.base, 'closed'), 0o700);
      writeFileSync(join(rig.project, '.termite-localrc'), '[{"Private": ["~/own"]}]');
      mkdirSync(join(home, 'own'));
      write(rig, 'home/own/file');
      rig.give(rig.base);
      const lines = [
        ...[
          'cat ../closed/file',
          'ls ../closed',
          'ls -d ../closed/nothing 2>/dev/null || echo no',
          'cat ../closed/sub/file',
        ],
        ...[
          'cat ~/.netrc',
          'cat ~/.ssh/config',
          'ls ~/.ssh',
          'cat ~/keys/key',
          'cat ~/.aws/key',
          'cat ~/own/file',
        ],
      ];
      if (user === 'root' && existsSync('/etc/shadow') && (statSync('/etc/shadow').mode & 4) === 0)
        lines.push('wc -l </etc/shadow');
      await isSame(rig, lines, { 'private-file': lines.length });
    });

    test('keeps nobody from what lies beside it, or from a project in a private folder', async () => {
      await using rig = rigFor(user);
      const home = rig.env['HOME']!;
      mkdirSync(join(home, '.local/share'), { recursive: true });
      write(rig, 'home/.local/share/file');
      mkdirSync(join(home, '.ssh'));
      write(rig, 'project/source');
      rig.give(rig.base);
      for (const path of [rig.base, home, join(home, '.local'), rig.project]) chmodSync(path, 0o700);
      const lines = ['cat source', 'cat ~/.local/share/file', 'ls -A ~', 'pwd', 'cat ../project/source'];
      await isSame(rig, lines, {});
    });
  });
}

function write(rig: TermiteRig, path: string): void {
  writeFileSync(join(rig.base, path), `${path}\n`);
}

/** Each line as a command of its own. */
async function isSame(
  rig: TermiteRig,
  lines: string[],
  localByReason: Record<string, number>,
): Promise<void> {
  const recipe = lines.map((line) => `\t@${line} || :\n`).join('');
  writeFileSync(join(rig.project, 'Makefile'), `all:\n${recipe}`);
  const plain = await rig.run(['make']);
  const { stdout, stderr, report } = await rig.report(['make']);
  assert.equal([stdout, report.localByReason], [plain.stdout, localByReason], stderr);
  assert.is(report.commands, lines.length);
}
