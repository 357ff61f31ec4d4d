import * as assert from 'uvu/assert';
import { ageRanks } from '../../master/age-order.ts';
import { CountFlag } from '../../master/path-state.ts';
import { randomOf } from '../harness/random.ts';
import { suite } from '../harness/suite.ts';

const { compared, aged, overwritten } = CountFlag;
const second = 1_000_000_000n;

/** Ranks of files given as [flags, time in seconds]. */
function ranks(...files: [flags: number, time: number | undefined][]): string[] {
  return ageRanks(
    files.map(([flags, time]) => ({
      flags,
      mtimeNs: time === undefined ? undefined : BigInt(Math.round(time * 1000)) * 1_000_000n,
    })),
  );
}

suite('ageRanks()', (test) => {
  test('tell older, equal and newer apart, and nothing else', () => {
    const two = (a: number, b: number) => ranks([compared, a], [compared, b]).join();
    assert.equal([two(1, 2), two(100, 200.001)], Array(2).fill(two(5, 6)));
    assert.is(new Set([two(1, 2), two(2, 2), two(2, 1)]).size, 3);
  });

  test('put what was read between what was not, and leave the order of what was read alone', () => {
    const at = (x: number, y: number) => ranks([compared, 10], [aged, x], [aged, y]).join();
    assert.is(at(1, 2), at(2, 1));
    assert.is(at(11, 12), at(12, 11));
    assert.is(new Set([at(1, 2), at(1, 10), at(1, 11), at(10, 1), at(11, 1), at(11, 12)]).size, 6);
  });

  test('are none of what has neither flag, and tell absence', () => {
    assert.equal(ranks([0, 1], [compared, 2]).length, 1);
    assert.not.equal(ranks([compared, undefined], [compared, 2]), ranks([compared, 1], [compared, 2]));
  });

  test('take what is overwritten together for one, unless something lies between or it is not together', () => {
    const made = compared | overwritten;
    const pair = (a: number, b: number, other: number) =>
      ranks([made, a], [made, b], [compared, other]).join();
    assert.is(pair(5, 6, 1), pair(6, 5, 1));
    assert.is(pair(5, 5, 1), pair(5, 6, 1));
    assert.is.not(pair(5, 7.5, 1), pair(7.5, 5, 1), 'too far apart');
    assert.is.not(pair(5, 6, 5.5), pair(6, 5, 5.5), 'another one between');
    assert.is.not(pair(5, 6, 6), pair(6, 5, 6), 'another one at the same time');
  });

  test('agree with all comparisons of pairs', () => {
    const random = randomOf(3);
    const byRanks = new Map<string, string>();
    const byPairs = new Map<string, string>();
    for (let i = 0; i < 5_000; i++) {
      const files = [compared, compared, aged, aged].map((flags) => ({
        flags,
        mtimeNs: BigInt(random(4)) * 10n * second,
      }));
      const pairs = files.flatMap((a, i) =>
        files.slice(i + 1).flatMap((b) => {
          if (a.flags === aged && b.flags === aged) return [];
          return [a.mtimeNs < b.mtimeNs ? '<' : a.mtimeNs > b.mtimeNs ? '>' : '='];
        }),
      );
      const [ranked, compare] = [ageRanks(files).join(), pairs.join('')];
      assert.is(byRanks.get(ranked) ?? compare, compare);
      assert.is(byPairs.get(compare) ?? ranked, ranked);
      byRanks.set(ranked, compare);
      byPairs.set(compare, ranked);
    }
  });
});
