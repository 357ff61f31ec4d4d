import * as assert from 'uvu/assert';
import { statusText } from '../../wrapper/status-line.ts';
import { suite } from '../harness/suite.ts';

suite('statusText()', (test) => {
  test('tells what is done, what runs, and the latest command', () => {
    assert.is(
      statusText({ done: 12, running: 8, latest: 'cc -c foo.c' }, 80),
      '[ 12 ] 8 running  cc -c foo.c',
    );
  });
  test('fits the terminal', () => {
    assert.is(statusText({ done: 12, running: 8, latest: 'cc -c foo.c' }, 20), '[ 12 ] 8 running  c');
  });
  test('lets no control character through', () => {
    assert.is(
      statusText({ done: 1, running: 1, latest: 'a\tb\x1b[2Jc' }, 80),
      '[ 1 ] 1 running  a\\tb\\x1b[2Jc',
    );
  });
});
