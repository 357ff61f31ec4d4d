import { z } from 'zod';
import type { ActionCache, ActionRecord } from '../cas/action-cache.ts';
import { digestOf } from '../cas/digest.ts';
import type { Difference } from '../protocol/build-log.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import { compareStates, compareTraits, traitsOf, traitsSchema } from './explain-miss.ts';
import type { Question } from './fingerprint.ts';
import { overwrittenOutputs } from './overwritten-outputs.ts';
import type { PathSet } from './path-sets.ts';
import type { SystemGenerations } from './system-generations.ts';

const statesSchema = z.object({ states: z.array(z.string()), generation: z.string() });

/** Tells what was not as in earlier runs, from what was noted of those (`q` and `t` in the cache). */
export class MissExplainer {
  readonly #cache: Pick<ActionCache, 'get' | 'getMany'>;
  readonly #generations: Pick<SystemGenerations, 'differences'>;

  constructor(
    cache: Pick<ActionCache, 'get' | 'getMany'>,
    generations: Pick<SystemGenerations, 'differences'>,
  ) {
    this.#cache = cache;
    this.#generations = generations;
  }

  /** What is to be noted of a run. */
  notesOf(
    question: Question,
    { setKey, states, generation }: { setKey: string; states: readonly string[]; generation: string },
  ): ActionRecord[] {
    return [
      { key: `t ${setKey}`, value: { states, generation } },
      { key: `q ${likenessOf(question)}`, value: traitsOf(question) },
    ];
  }

  /** Against the latest command for the same output, or that begins alike in the same folder. */
  async compareTraits(question: Question): Promise<Difference[]> {
    const earlier = traitsSchema.safeParse(await this.#cache.get(`q ${likenessOf(question)}`));
    return earlier.success ? compareTraits(earlier.data, traitsOf(question)) : [];
  }

  /** Against the run that differs least. @param statesNow undefined when they cannot be told just now */
  async compareStates(
    weak: string,
    sets: readonly PathSet[],
    statesNow: (set: PathSet) => string[] | undefined,
  ): Promise<Difference[]> {
    const earlier = await this.#cache.getMany(sets.map(({ id }) => `t ${weak} ${id}`));
    let nearest: { differences: Difference[]; generation: string } | undefined;
    for (const [index, set] of sets.entries()) {
      const run = statesSchema.safeParse(earlier[index]);
      const states = statesNow(set);
      if (!run.success || !states) continue;
      const differences = compareStates(set.observations, run.data.states, states);
      if (nearest && nearest.differences.length <= differences.length) continue;
      nearest = { differences, generation: run.data.generation };
    }
    if (!nearest || nearest.differences.length > 0) return nearest?.differences ?? [];
    const changed = await this.#generations.differences(nearest.generation);
    return changed.map(([name, was, is]) => ({ kind: 'system', name, was, is }));
  }
}

/** The same for commands that make the same, as far as that can be seen: only for explanations. */
export function likenessOf(question: Question): string {
  const [output] = overwrittenOutputs(question).keys();
  const made = output === undefined ? question.argv : [output];
  return digestOf(encodeBytes([question.cwd, ...made].join('\0'))).hash;
}
