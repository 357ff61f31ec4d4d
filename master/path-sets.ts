import { z } from 'zod';
import type { ActionCache, ActionRecord } from '../cas/action-cache.ts';
import type { Observation } from '../protocol/job.ts';
import { pathSetFingerprint } from './fingerprint.ts';

export interface PathSet {
  id: string;
  /** With the flags of `CountFlag`. */
  observations: readonly Observation[];
}

/** How many path sets are kept per command. Hardly ever is there a new one: docs/measurements.md, "Growth". */
const maxPathSets = 16;
/** Of so many commands the path sets are kept in memory. */
const maxKnownCommands = 2_000;

const weakSchema = z.object({ sets: z.array(z.string().regex(/^[0-9a-f]{64}$/)) });
const pathSetSchema = z.array(z.tuple([z.string(), z.number().int()]));

/** What commands have looked at (`w` and `s` in the cache), by weak fingerprint. */
export class PathSets {
  readonly #cache: Pick<ActionCache, 'get' | 'getMany'>;
  /** Of commands seen by this process. */
  readonly #known = new Map<string, PathSet[]>();

  constructor(cache: Pick<ActionCache, 'get' | 'getMany'>) {
    this.#cache = cache;
  }

  /** Those of a command, the latest used first. Stay as they are until `used` or `add` is called. */
  async of(weak: string): Promise<readonly PathSet[]> {
    return await this.#of(weak);
  }

  /** Of a command whose sets have been asked for. */
  used(weak: string, set: PathSet): void {
    const sets = this.#known.get(weak);
    const index = sets?.indexOf(set) ?? -1;
    if (sets && index > 0) sets.unshift(...sets.splice(index, 1));
  }

  /**
   * A set that was found once more, or is new. @returns what is to be written for it; what is written of a command's sets
   * follows from all of them
   */
  async add(weak: string, set: PathSet, likeness: string): Promise<ActionRecord[]> {
    const sets = await this.#of(weak);
    const known = sets.findIndex(({ id }) => id === set.id);
    sets.unshift(...(known < 0 ? [set] : sets.splice(known, 1)));
    const dropped = sets.splice(maxPathSets);
    return [
      { key: `s ${weak} ${set.id}`, value: set.observations.map(({ path, flags }) => [path, flags]) },
      { key: `w ${weak}`, value: { sets: sets.map(({ id }) => id), likeness } },
      ...dropped.flatMap(({ id }) => [{ key: `s ${weak} ${id}` }, { key: `t ${weak} ${id}` }]),
    ];
  }

  forgetAll(): void {
    this.#known.clear();
  }

  async #of(weak: string): Promise<PathSet[]> {
    const known = this.#known.get(weak);
    if (known) return known;
    const parsed = weakSchema.safeParse(await this.#cache.get(`w ${weak}`));
    const ids = parsed.success ? parsed.data.sets : [];
    const records = await this.#cache.getMany(ids.map((id) => `s ${weak} ${id}`));
    const sets = ids.flatMap((id, index) => {
      const record = pathSetSchema.safeParse(records[index]);
      if (!record.success) return [];
      const observations = record.data.map(([path, flags]) => ({ path, flags }));
      return pathSetFingerprint(observations) === id ? [{ id, observations }] : [];
    });
    // Somebody else may have been faster, and may have added to it.
    const latest = this.#known.get(weak) ?? sets;
    if (this.#known.size >= maxKnownCommands) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(weak, latest);
    return latest;
  }
}
