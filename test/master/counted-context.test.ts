import { cpus } from 'node:os';
import * as assert from 'uvu/assert';
import { countedContext, shownContext } from '../../master/counted-context.ts';
import { plainContext } from '../../protocol/process-context.ts';
import { suite } from '../harness/suite.ts';

suite('shownContext()', (test) => {
  test('names processors only where a caller may not use all', () => {
    const all = { ...plainContext, processors: [2n ** BigInt(cpus().length) - 1n] };
    assert.equal(shownContext(all).processors, []);
    const none = { ...plainContext, processors: [] };
    assert.equal(shownContext(none).processors, []);
    const some = { ...plainContext, processors: [2n ** BigInt(cpus().length - 1) - 1n] };
    assert.equal(shownContext(some).processors, some.processors);
  });
});

suite('countedContext()', (test) => {
  test('leaves niceness to programs that may ask for it', () => {
    const context = { ...plainContext, niceness: 3 };
    const counted = (line: string) => countedContext({ argv: ['-c', line], isExec: false, context }).niceness;
    assert.is(counted('nice > out'), 3);
    assert.is(counted('cc -c a.c'), 0);
  });
});
