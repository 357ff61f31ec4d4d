import * as assert from 'uvu/assert';
import { nearest } from '../../runtime/nearest.ts';
import { suite } from '../harness/suite.ts';

suite('nearest()', (test) => {
  const names = ['make', 'run', 'status', 'stop', 'masquerade', 'why'];
  const cases: [typed: string, meant: string | undefined][] = [
    ['mak', 'make'],
    ['amke', 'make'],
    ['sttaus', 'status'],
    ['masqerad', 'masquerade'],
    ['rnu', 'run'],
    ['dance', undefined],
    ['', undefined],
    ['build', undefined],
  ];
  for (const [typed, meant] of cases) {
    test(`takes "${typed}" for ${meant ?? 'nothing'}`, () => assert.is(nearest(typed, names), meant));
  }
});
