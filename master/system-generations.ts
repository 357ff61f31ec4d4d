import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { ActionCache, ActionRecord } from '../cas/action-cache.ts';
import type { Observation, SystemTrace } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import type { Inputs } from './inputs.ts';
import type { SystemChanges, SystemDifference } from './system-changes.ts';

export interface SystemGenerationsOptions {
  cache: Pick<ActionCache, 'get' | 'list' | 'write'>;
  describe: Inputs['describeSystem'];
  changes: Pick<SystemChanges, 'epoch' | 'revision' | 'since'>;
}

interface Entry {
  flags: number;
  state: string;
}

/** A set of observed paths with their states. */
class Generation {
  readonly id: string;
  usedMs: number;
  readonly entries = new Map<string, Entry>();
  /** Paths whose states are not these, as of revision `checkedAt`; undefined: not known of any. */
  broken: Set<string> | undefined;
  checkedAt = -1;
  #check = 0;

  constructor(id: string, usedMs: number) {
    this.id = id;
    this.usedMs = usedMs;
  }

  set(path: string, entry: Entry): void {
    const former = this.entries.get(path);
    if (former) this.#check ^= checkOf(path, former);
    this.#check ^= checkOf(path, entry);
    this.entries.set(path, entry);
  }

  get isValid(): boolean {
    return this.broken?.size === 0;
  }

  /** Those entries that a difference touches; all of them when it is not known what is different. */
  touchedBy(difference: SystemDifference | undefined): Observation[] {
    const paths = difference ? [...difference.paths()] : [...this.entries.keys()];
    const observations = paths.flatMap((path) => {
      const entry = this.entries.get(path);
      return entry ? [{ path, flags: entry.flags }] : [];
    });
    return difference ? observations.filter((observation) => difference.touches(observation)) : observations;
  }

  /** With a check of all entries: a generation that has lost one would hold where it should not. */
  get record(): ActionRecord & { value: z.infer<typeof generationSchema> } {
    const { id, usedMs, entries } = this;
    return { key: `g ${id}`, value: { usedMs, count: entries.size, check: this.#check } };
  }
}

const generationSchema = z.object({ usedMs: z.number(), count: z.number(), check: z.number() });
const entrySchema = z.object({ flags: z.number().int(), state: z.string() });

/** The latest are kept: going back to an earlier compiler finds its results again. */
const maxGenerations = 8;
/** A master takes 20 to 60 µs per entry before its first look-up. */
const maxEntries = 20_000;
const maxEntriesOfOthers = 20_000;
const parallelCount = 64;
/** Executors come and go, and have a new mirror for each epoch. */
const maxMirrors = 1_000;

/**
 * What all commands together have looked at outside of the project. Nobody can tell which command looked at what there,
 * so each result holds for a whole *generation*: a set of paths and the states they had.
 *
 *     something changed ─► check the entries it touches ─► some generation is valid?
 *                  ├── the latest one is current, results of all valid ones hold
 *                  └── no ──► an empty one begins, and is current
 *
 * A generation grows by what jobs look at for the first time. That only makes it harder to be
 * valid, so results that it got earlier stay right. Kept in the action cache: `g <id>`, and `e <id> <path>` each.
 */
export class SystemGenerations {
  readonly #options: SystemGenerationsOptions;
  #all: Promise<Generation[]> | undefined;
  #valid: { revision: number; generations: Generation[] } | undefined;
  #validating: Promise<void> | undefined;
  /** How much of each mirror's trace the current generation has. */
  readonly #known = new Map<string, number>();
  /** Per executor the mirror that answered last. */
  readonly #mirrorOf = new Map<string, string>();

  constructor(options: SystemGenerationsOptions) {
    this.#options = options;
  }

  /** The generations that hold at `revision`, current one first. @throws AppError when the machine cannot be looked at */
  async valid(): Promise<{ revision: number; ids: readonly string[] }> {
    while (this.#valid?.revision !== this.#options.changes.revision) {
      this.#validating ??= this.#validate().finally(() => {
        this.#validating = undefined;
      });
      await this.#validating;
    }
    const { revision, generations } = this.#valid;
    return { revision, ids: generations.map(({ id }) => id) };
  }

  /** What an executor need not tell again. */
  knownOf(executor: string): { mirror: string; count: number } {
    const mirror = this.#mirrorOf.get(executor) ?? '';
    return { mirror, count: this.#known.get(mirror) ?? 0 };
  }

  /**
   * Takes in what jobs of `epoch` have looked at.
   *
   * @returns the generation that now covers it; undefined when that epoch is over, part of the trace is missing, or
   * something that it looked at has changed since
   */
  async extend(epoch: number, executor: string, trace: SystemTrace): Promise<string | undefined> {
    const { changes } = this.#options;
    await this.valid();
    const current = this.#valid!.generations[0]!;
    const known = this.#known.get(trace.mirror) ?? 0;
    if (trace.from > known) return undefined;
    const fresh = trace.observed.slice(known - trace.from);
    const described = await this.#describe(this.#lacking(current, fresh));
    // What is known already held then, and the generation will be found to hold no more if it does not.
    const later = changes.epoch === epoch ? changes.since(trace.revision) : undefined;
    if (!later || fresh.some((observation) => later.touches(observation))) return undefined;
    if (!described || this.#valid?.generations[0] !== current) return undefined;
    if (current.entries.size + described.size > maxEntries) {
      if (trace.from + trace.observed.length <= maxEntries) await this.#begin();
      return undefined;
    }
    const records: ActionRecord[] = [];
    for (const [path, entry] of described) {
      current.set(path, entry);
      records.push({ key: `e ${current.id} ${path}`, value: entry });
    }
    if (records.length > 0) await this.#options.cache.write([...records, current.record]);
    const count = trace.from + trace.observed.length;
    if (count > (this.#known.get(trace.mirror) ?? 0)) keep(this.#known, trace.mirror, count);
    keep(this.#mirrorOf, executor, trace.mirror);
    return current.id;
  }

  /** Paths of the current generation whose states are not what they are in another one: `[path, there, now]`. */
  async differences(id: string): Promise<[string, string, string][]> {
    const other = (await this.#load()).find((generation) => generation.id === id);
    if (!other) return [];
    const changed: [string, string, string][] = [];
    for (const [path, { flags, state }] of other.entries) {
      const now = await this.#options.describe({ path, flags }).catch(() => 'unknown');
      if (now !== state) changed.push([path, state, now]);
    }
    return changed;
  }

  /** For when the cache has been cleared. */
  forgetAll(): void {
    this.#all = Promise.resolve([]);
    this.#valid = undefined;
    this.#known.clear();
  }

  async #validate(): Promise<void> {
    const { cache, changes } = this.#options;
    const all = await this.#load();
    for (const generation of all) await this.#check(generation);
    const { revision } = changes;
    // Meanwhile more has changed.
    if (all.some(({ checkedAt }) => checkedAt !== revision)) return;
    const generations = all.filter(({ isValid }) => isValid);
    const isNew = this.#valid?.generations[0] !== generations[0];
    this.#valid = { revision, generations };
    if (generations.length === 0) return this.#begin();
    if (!isNew) return;
    this.#known.clear();
    generations[0]!.usedMs = Date.now();
    await cache.write([generations[0]!.record]);
  }

  /** Makes an empty generation the current one; those that hold go on to do so. */
  async #begin(): Promise<void> {
    const { revision, generations } = this.#valid!;
    const current = new Generation(randomBytes(8).toString('hex'), Date.now());
    current.broken = new Set();
    current.checkedAt = revision;
    generations.unshift(current);
    this.#known.clear();
    const all = await this.#load();
    all.unshift(current);
    const dropped: Generation[] = [];
    const isTooMuch = () =>
      all.length > maxGenerations ||
      all.reduce((sum, { entries }) => sum + entries.size, 0) > maxEntriesOfOthers;
    while (isTooMuch()) dropped.push(all.pop()!);
    this.#valid!.generations = this.#valid!.generations.filter((generation) => all.includes(generation));
    await this.#options.cache.write([current.record, ...dropped.flatMap(forget)]);
  }

  /** Brings what is known of its entries up to date. */
  async #check(generation: Generation): Promise<void> {
    const { changes } = this.#options;
    const { revision } = changes;
    if (generation.checkedAt === revision) return;
    const difference = generation.broken && changes.since(generation.checkedAt);
    const observations = generation.touchedBy(difference);
    const described = await this.#describe(observations);
    generation.checkedAt = revision;
    const broken = difference ? generation.broken! : new Set<string>();
    for (const [path, { state }] of described ?? []) {
      if (generation.entries.get(path)!.state === state) broken.delete(path);
      else broken.add(path);
    }
    generation.broken = described && broken;
  }

  /** The observations that say more than is known, with all that is to be known of their paths. */
  #lacking({ entries }: Generation, observed: readonly Observation[]): Observation[] {
    const lacking = new Map<string, number>();
    for (const { path, flags } of observed) {
      const known = (entries.get(path)?.flags ?? 0) | (lacking.get(path) ?? 0);
      if ((known & flags) !== flags) lacking.set(path, known | flags);
    }
    return [...lacking].map(([path, flags]) => ({ path, flags }));
  }

  /** undefined when something cannot be described. */
  async #describe(observations: readonly Observation[]): Promise<Map<string, Entry> | undefined> {
    const described = new Map<string, Entry>();
    let next = 0;
    const work = async () => {
      while (next < observations.length) {
        const observation = observations[next++]!;
        const state = await this.#options.describe(observation);
        described.set(observation.path, { flags: observation.flags, state });
      }
    };
    try {
      await Promise.all(Array.from({ length: parallelCount }, work));
    } catch (error) {
      if (error instanceof AppError) return undefined;
      throw error;
    }
    return described;
  }

  #load(): Promise<Generation[]> {
    this.#all ??= this.#read();
    return this.#all;
  }

  /** The latest first. */
  async #read(): Promise<Generation[]> {
    const { cache } = this.#options;
    const generations: Generation[] = [];
    for (const { key, value } of await cache.list('g ')) {
      const { usedMs, count, check } = generationSchema.parse(value);
      const generation = new Generation(key.slice(2), usedMs);
      const prefix = `e ${generation.id} `;
      for (const record of await cache.list(prefix)) {
        generation.set(record.key.slice(prefix.length), entrySchema.parse(record.value));
      }
      const { value: found } = generation.record;
      if (found.count === count && found.check === check) generations.push(generation);
    }
    return generations.sort((a, b) => b.usedMs - a.usedMs);
  }
}

/** As the latest; the oldest goes when there are too many. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > maxMirrors) map.delete(map.keys().next().value!);
}

function checkOf(path: string, { flags, state }: Entry): number {
  return crc32(encodeBytes(`${path}\0${flags}\0${state}`));
}

function forget({ id, entries }: Generation): ActionRecord[] {
  return [{ key: `g ${id}` }, ...[...entries.keys()].map((path) => ({ key: `e ${id} ${path}` }))];
}
