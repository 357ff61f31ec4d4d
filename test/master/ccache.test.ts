import * as assert from 'uvu/assert';
import { withoutCcache } from '../../master/ccache.ts';
import { suite } from '../harness/suite.ts';

suite('withoutCcache()', (test) => {
  const off = 'CCACHE_DISABLE=1';
  const cases: [line: string, env: string[], entry: string | undefined][] = [
    ['ccache cc -c x.c', [], off],
    ['cd a && /usr/bin/ccache gcc -c x.c', [], off],
    ["'ccache' cc -c x.c", [], off],
    ['cc -c x.c', ['PATH=/usr/lib/ccache:/usr/bin'], off],
    ['cc -c x.c', ['PATH=/usr/bin:/opt/homebrew/opt/ccache/libexec'], off],
    ['cc -c ccache.c -o ccache.o', ['PATH=/usr/bin'], undefined],
    ['cc -c x.c', ['PATH=/home/ccache-dev/bin'], undefined],
    ['ccache cc -c x.c', ['CCACHE_DISABLE=1'], undefined],
  ];
  for (const [line, env, entry] of cases) {
    test(`${entry === undefined ? 'lets alone' : 'is needed for'} "${line}" with ${env.join(' ')}`, () =>
      assert.is(withoutCcache(line, env), entry));
  }
});
