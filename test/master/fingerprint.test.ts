import * as assert from 'uvu/assert';
import {
  type Question,
  statesFingerprint,
  strongFingerprint,
  weakFingerprint,
} from '../../master/fingerprint.ts';
import { overwrittenOutputs } from '../../master/overwritten-outputs.ts';
import { plainContext } from '../../protocol/process-context.ts';
import { suite } from '../harness/suite.ts';

const question: Question = {
  ...{
    projectRoot: '/p',
    argv: ['/bin/sh', '-c', 'cc -c a.c'],
    env: ['A=1', 'TERM=x'],
    cwd: '/p',
    umask: 0o22,
  },
  ...{ uid: 0, gid: 0, home: '/root', mergeOutput: false, network: false, timeoutMs: 0 },
  context: plainContext,
  timeUse: 'compared',
};

suite('weakFingerprint()', (test) => {
  test('is another one for each thing that counts', () => {
    const others: Partial<Question>[] = [
      { projectRoot: '/q' },
      { argv: ['/bin/sh', '-c', 'cc -c b.c'] },
      { argv: ['/bin/sh', '-c', 'cc', '-c a.c'] },
      { argv: ['/bin/bash', '-c', 'cc -c a.c'] },
      { env: ['A=2', 'TERM=x'] },
      { env: ['A=1', 'B='] },
      { cwd: '/p/sub' },
      { umask: 0o77 },
      { uid: 1 },
      { gid: 1 },
      { home: '' },
      { network: true },
      { timeoutMs: 1 },
      { timeUse: 'unused' },
    ];
    const all = [question, ...others.map((other) => ({ ...question, ...other }))].map(weakFingerprint);
    assert.is(new Set(all).size, all.length);
  });
});

suite('strongFingerprint()', (test) => {
  test('is another one for each part', () => {
    const states = statesFingerprint(['a', 'b']);
    const from = {
      ...{ weak: 'w', pathSet: 's', states, generation: 'g' },
      ...{ stdin: 'unread' as const, streams: 'apart' as const },
    };
    const others = [
      { weak: 'x' },
      { pathSet: 't' },
      { states: statesFingerprint(['a', 'c']) },
      { states: statesFingerprint(['b', 'a']) },
      { generation: 'h' },
      { stdin: 'empty' as const },
      { streams: 'together' as const },
    ];
    const all = [from, ...others.map((other) => ({ ...from, ...other }))].map(strongFingerprint);
    assert.is(new Set(all).size, all.length);
  });
});

suite('overwrittenOutputs()', (test) => {
  const outputs = (line: string, cwd = '/p') =>
    Object.fromEntries(overwrittenOutputs({ ...question, cwd, argv: ['/bin/sh', '-c', line] }));

  test('knows what compilers are told to write', () => {
    assert.equal(outputs('gcc -O2 -c -o x.o x.c'), { 'x.o': 0o644 });
    assert.equal(outputs('x86_64-linux-gnu-g++-12 -o bin/x x.o', '/p/sub'), { 'sub/bin/x': 0o755 });
    assert.equal(outputs('cc -MD -c -o d/x.o x.c'), { 'd/x.o': 0o644, 'd/x.d': 0o644 });
    assert.equal(outputs('cc -MMD -MF y.d -c -o x.o x.c'), { 'x.o': 0o644, 'y.d': 0o644 });
  });

  test('knows what a lone command is redirected to', () => {
    assert.equal(outputs('./gen "a b" *.c > out/x.h'), { 'out/x.h': 0o644 });
  });

  test('knows nothing of any other line', () => {
    for (const line of [
      'test -e x.o && cc -c -o x.o x.c',
      'cc -c x.c',
      'cc -c -o ../x.o x.c',
      'cc -E -o x.i x.c',
      'ccx -o x x.c',
      './gen >> x',
      './gen 2> x',
      './gen $(cat x) > x',
      './gen `cat x` > x',
      'a; b > x',
      'a | b > x',
      'test -e x && b > x',
      'echo "a > x"',
      'echo a # > x',
      'echo a \\> x',
      'a < y > x',
    ]) {
      assert.equal(outputs(line), {}, line);
    }
  });
});
