import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { FrameSplitter, FrameWriter } from '../../protocol/frame.ts';
import { ShellFrame } from '../../protocol/frame-types.ts';
import { decodeRun, encodeRun, type RunRequest } from '../../protocol/run-request.ts';
import { exampleContext } from '../fixtures/example-context.ts';
import { suite } from '../harness/suite.ts';

const golden = (name: string) =>
  readFileSync(resolve(import.meta.dirname, '../../../native/test/golden', name));
const decode = (bytes: Buffer) => decodeRun(new FrameSplitter().push(bytes)[0]!);

suite('decodeRun()', (test) => {
  test('reads what the shell sends, to the byte', () => {
    const request: RunRequest = {
      argv: ['-c', 'gcc -c a.c -o a.o'],
      shell: '/bin/sh',
      cwd: '/home/me/proj\udcff',
      env: ['PATH=/usr/bin:/bin', 'ODD=\udcff\udcfe\n', 'EMPTY='],
      umask: 0o022,
      mergeOutput: true,
      hasJobserver: false,
      isStdinEmpty: true,
      isStdinTerminal: false,
      isExec: false,
      processId: 4711,
      context: exampleContext,
    };
    assert.equal(decode(golden('run.bin')), request);
    assert.equal(encodeRun(request), golden('run.bin'));
  });

  test('refuses a run without a command, without a directory, of another version', () => {
    assert.throws(() => decode(golden('run-empty.bin')), /without command/);
    const relative = new FrameWriter(ShellFrame.run).u32(3).list(['x'], () => {});
    assert.throws(() => decode(relative.finish()), RangeError);
    assert.throws(() => decode(new FrameWriter(ShellFrame.run).u32(1).finish()), /version 1/);
  });
});
