import * as assert from 'uvu/assert';
import { hitRateRows, hitRates, kindOf } from '../../bench/hit-rates.ts';
import type { CommandRecord } from '../../protocol/build-log.ts';
import { suite } from '../harness/suite.ts';

function record(line: string, where: CommandRecord['where'], reason?: string): CommandRecord {
  return {
    ...{ number: 1, line, cwd: '.', where, wallMs: 1, outputs: [], differences: [] },
    ...(reason !== undefined && { reason }),
  };
}

suite('kindOf()', (test) => {
  for (const [line, kind] of [
    ['gcc -O2 -c -o a.o a.c', 'compile'],
    [
      'depbase=`echo a.o | sed s/x/y/`; gcc -I. -MT a.o -c -o a.o a.c && mv $depbase.Tpo $depbase.Po',
      'compile',
    ],
    ['/bin/sh ./libtool --tag=CC --mode=compile gcc -O2 -c -o a.lo a.c', 'compile'],
    ['x86_64-linux-gnu-g++-12 -std=c++17 -c a.cc', 'compile'],
    ['rm -f lib.a && ar cr lib.a a.o && ranlib lib.a', 'archive'],
    ['gcc -g -o program a.o b.o', 'link'],
    ['/bin/sh ./libtool --mode=link gcc -o p a.lo', 'link'],
    ['sed s/a/b/ x >y', 'other'],
    ['./gccx y', 'other'],
  ] as const) {
    test(`calls "${line}" ${kind}`, () => assert.is(kindOf(line), kind));
  }
});

suite('hitRates()', (test) => {
  test('counts hits and misses by kind, with the reasons, but not what is kept beside make on purpose', () => {
    const rates = hitRates([
      record('gcc -c a.c', 'cache'),
      record('gcc -c b.c', 'cache'),
      record('gcc -c c.c', 'remote', 'inputs'),
      record('gcc -o p a.o', 'local', 'failed'),
      record('make -C sub', 'local', 'recursive'),
    ]);
    assert.equal(hitRateRows(rates), [
      ['', 'hits', 'misses', '%'],
      ['compile', '2', '1', '66.6'],
      ['link', '0', '1', '0.0'],
      ['all', '2', '2', '50.0'],
    ]);
    assert.equal(rates['all']!.reasons, { 'remote: inputs': 1, 'local: failed': 1 });
  });
});
