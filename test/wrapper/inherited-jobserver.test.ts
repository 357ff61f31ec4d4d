import { closeSync, openSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { inheritedJobserver } from '../../wrapper/inherited-jobserver.ts';
import { suite } from '../harness/suite.ts';

suite('inheritedJobserver()', (test) => {
  const none = [
    undefined,
    '',
    'ks',
    ' -j4 --jobserver-auth=fifo:/tmp/GMfifo1',
    ' -j4 --jobserver-auth=-2,-2',
    ' -j4 --jobserver-auth=1,',
    ' -j4 --jobserver-auth=98765,98766',
    ' -- X=--jobserver-auth=0,0',
    ' -- X --jobserver-auth=0,0',
  ];
  for (const makeflags of none) {
    test(`is empty for ${makeflags}`, () => {
      assert.equal(inheritedJobserver(makeflags, process.pid), []);
    });
  }

  test('does not take a descriptor of ours for one that was inherited', () => {
    const fd = openSync('/dev/null', 'r');
    try {
      assert.equal(inheritedJobserver(` --jobserver-auth=${fd},${fd}`, process.pid), []);
      // The parent has none of these numbers, or something else there.
      assert.equal(inheritedJobserver(` --jobserver-auth=${fd},${fd}`, process.ppid), []);
    } finally {
      closeSync(fd);
    }
  });
});
