import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { sandboxObstacle } from '../rigs/user.ts';

/** Longer than a pipe holds, so that some of it has not been read when the command turns out to belong here. */
const input = Array.from({ length: 40_000 }, (_, number) => `line ${number}\n`).join('');

suite('What a sandbox has read of stdin', (test) => {
  test.before(() => {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
  });

  test('is read again by a command that has to run beside make: a pipe, and a file', async () => {
    await using rig = new TermiteRig('root');
    const line = 'head -c 10 > $$HOME/start; cat > $$HOME/rest';
    writeFileSync(join(rig.project, 'Makefile'), `all: ; ${line}\n`);
    writeFileSync(join(rig.base, 'input'), input);
    const read = () =>
      ['start', 'rest'].map((name) => readFileSync(join(rig.env['HOME']!, name), 'utf8')).join('');
    const piped = await rig.report(['make'], { input });
    assert.equal([piped.status, piped.report.localByReason], [0, { 'left-outside': 1 }], piped.stderr);
    assert.ok(read() === input, 'a pipe');
    await rig.termite(['cache', 'clear']);
    const file = await rig.termite(['build', 'sh', '-c', `exec make < ${rig.base}/input`]);
    assert.is(file.status, 0, file.stderr);
    assert.ok(read() === input, 'a file');
    const run = await rig.report(['run', 'sh', '-c', line.replaceAll('$$', '$')], { input });
    assert.equal([run.status, run.report.localByReason], [0, { 'left-outside': 1 }], run.stderr);
    assert.ok(read() === input, 'termite run');
  });
});
