import * as assert from 'uvu/assert';
import { mayCreateExclusively } from '../../master/exclusive-creation.ts';
import { suite } from '../harness/suite.ts';
import { runRequest } from './run-request.ts';

const cases: [line: string, mayBe: boolean][] = [
  ['mkdir lock', true],
  ['mkdir -p a/b && gcc -c -o a/b/x.o x.c', false],
  ['mkdir a && gcc -c -o a/x.o x.c', true],
  ['ln -s x lock', true],
  ['ln -sf x y', false],
  ['sed s/a/b/ in > out', false],
  ['set -C; sed s/a/b/ in > out', true],
  ['/bin/bash ../libtool --mode=compile gcc -c x.c', false],
  ['python3 generate.py', true],
  ['./gcc -c x.c', true],
  ['gcc -c x.c', false],
];

suite('mayCreateExclusively()', (test) => {
  for (const [line, mayBe] of cases) {
    test(`${mayBe ? 'fears that' : 'knows that not:'} ${line}`, () => {
      assert.is(mayCreateExclusively(runRequest(line)), mayBe);
    });
  }
});
