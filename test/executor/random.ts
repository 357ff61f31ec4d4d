import { randomOf } from '../harness/random.ts';

/** Random choices that are the same for the same seed. */
export class Random {
  readonly below: (limit: number) => number;

  constructor(seed: number) {
    this.below = randomOf(seed);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
