import { z } from 'zod';
import type { ActionCache } from '../cas/action-cache.ts';
import { digestOf } from '../cas/digest.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Difference } from '../protocol/build-log.ts';
import type { Digest } from '../protocol/digest.ts';
import {
  type Job,
  type Manifest,
  manifestSchema,
  type Observation,
  ObservationFlag,
} from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Limit, limitSchema } from '../runtime/limit.ts';
import { CacheCounters, type CacheStatistics, countersSchema, noCounts } from './cache-counters.ts';
import { contentOfResult, contentOfResults, evictResults } from './evict-results.ts';
import { compareStates, compareTraits, maxDifferences, traitsOf } from './explain-miss.ts';
import {
  pathSetFingerprint,
  type Question,
  type StdinUse,
  strongFingerprint,
  weakFingerprint,
} from './fingerprint.ts';
import { overwrittenOutputs } from './overwritten-outputs.ts';
import type { Overwritten } from './path-state.ts';
import type { SystemGenerations } from './system-generations.ts';
import type { Basis, Workspace } from './workspace.ts';

export interface ResultCacheOptions {
  cache: ActionCache;
  generations: SystemGenerations;
  workspace: Pick<Workspace, 'refresh' | 'inputs'>;
  store: FileBlobStore;
  clock: Clock;
  onNotice: (message: string) => void;
  /** For tests: breaks the fingerprint on purpose, to see whether they notice. */
  distortState?: ((state: string, observation: Observation) => string) | undefined;
}

/** Why there was no hit. */
export type MissReason =
  | 'new-command'
  | 'inputs-changed'
  | 'failed-before'
  | 'content-missing'
  | 'quarantined';

export interface Hit {
  kind: 'hit';
  key: string;
  /** Based on what stands there now. */
  manifest: Manifest;
  /** What it cost when it was run. */
  tookMs: number;
  /** Whether it is the answer for that state as well; false when that is not known any more. */
  holdsOn(basis: Basis): boolean;
}

export type Answer = Hit | { kind: 'miss'; reason: MissReason; differences: Difference[] };

/** Why a result is not kept. */
export type NotStored =
  | 'failed'
  | 'stdin-read'
  | 'network'
  | 'out-of-memory'
  | 'no-trace'
  | 'system-changed'
  | 'basis-gone'
  | 'times-copied'
  | 'quarantined'
  | 'content-missing';

/** A command that has just run to its end, and was applied. */
export interface Finished {
  question: Question;
  basis: Basis;
  manifest: Manifest;
  executor: string;
  /** What it printed, as far as it is not in the store. */
  printed: ReadonlyMap<string, Uint8Array>;
  /** undefined: it read some. */
  stdin: StdinUse | undefined;
  /** Keep the result also when its exit status is not 0. */
  acceptsFailure: boolean;
}

interface PathSet {
  id: string;
  observations: readonly Observation[];
}

/** How many path sets are kept per command. Hardly ever is there a new one: docs/measurements.md, "Growth". */
const maxPathSets = 16;
/** Of so many commands the path sets are kept in memory. */
const maxKnownCommands = 2_000;
const maxAttempts = 3;
const dayMs = 24 * 60 * 60 * 1000;
const digits = /^[0-9a-f]{64}$/;

const weakSchema = z.object({ sets: z.array(z.string().regex(digits)) });
const pathSetSchema = z.array(z.tuple([z.string(), z.number().int()]));
const statesSchema = z.object({ states: z.array(z.string()), generation: z.string() });
const evictedSchema = z.object({ atMs: z.number() });
const traitsSchema = z.object({ argv: z.array(z.string()), env: z.array(z.string()), umask: z.number() });
const resultSchema = z.object({ manifest: manifestSchema, tookMs: z.number(), storedMs: z.number() });

/**
 * Answers commands with what they did before, when all that they looked at is as it was then:
 *
 *     weak fingerprint ─► path sets ─┬─ states now ─► strong fingerprint ─► result       (`w` ─► `s` ─► `r` in the cache)
 *                 system generations ┘
 *
 * The states of a path set are taken in one go, without letting the event loop turn, right after the snapshot was brought
 * up to date: so they are those of one moment, like those that a job gets. For storing they are taken from the tree that
 * the job was based on, which cannot change; therefore inputs that change while a command runs do no harm.
 *
 * What goes wrong in here costs a hit, never a build.
 */
export class ResultCache implements AsyncDisposable {
  readonly #options: ResultCacheOptions;
  /** The path sets of commands seen by this process, the latest used first. */
  readonly #sets = new Map<string, PathSet[]>();
  #counters = new CacheCounters();
  /** When results were last used, by key, since that was last written down. */
  #used = new Map<string, number>();
  readonly #storing = new Set<Promise<unknown>>();
  readonly #limits = new Map<string, Limit>();

  constructor(options: ResultCacheOptions) {
    this.#options = options;
  }

  /** Finds out whether what commands looked at outside the project is as it was: the first look-up has to wait for that. */
  prepare(): void {
    // What goes wrong goes wrong again when somebody asks.
    void this.#options.generations.valid().catch(() => {});
  }

  /**
   * @param acceptsFailure whether a result with an exit status other than 0 is an answer
   * @throws what the workspace and the database throw
   */
  async lookUp(
    question: Question,
    { isStdinEmpty, acceptsFailure }: { isStdinEmpty: boolean; acceptsFailure: boolean },
  ): Promise<Answer> {
    const weak = weakFingerprint(question);
    const overwritten = overwrittenOutputs(question);
    const uses: StdinUse[] = isStdinEmpty ? ['unread', 'empty'] : ['unread'];
    const sets = await this.#pathSets(weak);
    if (sets.length === 0) return this.#miss('new-command', await this.#compareTraits(question));
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { revision, ids } = await this.#options.generations.valid();
      if ((await this.#options.workspace.refresh()) !== revision) continue;
      // Nothing may be awaited from the refresh to here.
      const candidates = sets.flatMap((set) => {
        const states = this.#statesNow(set, overwritten);
        if (!states) return [];
        const keyOf = (generation: string, stdin: StdinUse) =>
          strongFingerprint({ weak, pathSet: set.id, states, generation, stdin });
        return ids.flatMap((id) => uses.map((stdin) => ({ set, states, key: keyOf(id, stdin) })));
      });
      const keys = candidates.map(({ key }) => key);
      const found = await this.#options.cache.getMany(keys.map((key) => `r ${key}`));
      const index = found.findIndex((record) => record !== undefined);
      if (index < 0 && (await this.#isQuarantined(keys))) return this.#miss('quarantined', []);
      if (index < 0) return this.#miss('inputs-changed', await this.#compareStates(weak, sets, overwritten));
      const { set, states, key } = candidates[index]!;
      const { manifest, tookMs } = resultSchema.parse(found[index]);
      if (hasFailed(manifest) && !acceptsFailure) return this.#miss('failed-before', []);
      if (!(await this.#isStored(manifest))) return this.#miss('content-missing', []);
      // While the database was read things may have changed; the bases have to be of the same moment as the states.
      if (this.#statesNow(set, overwritten)?.join('\0') !== states.join('\0')) continue;
      sets.unshift(...sets.splice(sets.indexOf(set), 1));
      const holdsOn = (at: Basis) =>
        at.revision === revision && this.#statesOn(at, set, overwritten)?.join('\0') === states.join('\0');
      return { kind: 'hit', key, manifest: this.#rebased(manifest), tookMs, holdsOn };
    }
    return this.#miss('inputs-changed', []);
  }

  /** The limit of the sandbox that this command has reached before: it has to run beside make. */
  async knownLimit(question: Question): Promise<Limit | undefined> {
    const weak = weakFingerprint(question);
    const known = limitSchema.safeParse(
      this.#limits.get(weak) ?? (await this.#options.cache.get(`l ${weak}`)),
    );
    if (!known.success) return undefined;
    this.#limits.set(weak, known.data);
    return known.data;
  }

  /** Remembers it with the command. What fails is not remembered: the next state of its inputs may do. */
  rememberLimit(question: Question, limit: Limit): void {
    if (limit.kind === 'failed') return;
    const weak = weakFingerprint(question);
    this.#limits.set(weak, limit);
    const writing = this.#options.cache
      .write([{ key: `l ${weak}`, value: limit }])
      .catch((error) => this.#options.onNotice(`A limit was not remembered: ${describeError(error)}`))
      .finally(() => this.#storing.delete(writing));
    this.#storing.add(writing);
  }

  /** Counts a hit: one that took the place of running the command. */
  used({ key, tookMs }: Hit): void {
    this.#counters.hit(tookMs);
    this.#used.set(key, this.#options.clock.nowMs());
  }

  /** Takes out a result that was not reproduced; none is kept under that key any more (`x` in the cache). */
  quarantine(key: string): Promise<void> {
    return this.#options.cache.write([{ key: `r ${key}` }, { key: `x ${key}`, value: true }]);
  }

  /** Forgets all results; their content stays in the store. @returns the hashes of that content */
  async clear(): Promise<Set<string>> {
    const content = await contentOfResults(this.#options.cache);
    this.#sets.clear();
    this.#limits.clear();
    this.#options.generations.forgetAll();
    this.#counters = new CacheCounters();
    this.#used.clear();
    await this.#options.cache.clear();
    return content;
  }

  /**
   * Drops results that can be of no use any more, and those that were not used for longest until the records of the
   * others fit into `maxBytes`. To be called when no build is under way: results stored meanwhile may be lost.
   *
   * @returns how many results went
   */
  async evict(maxBytes: number): Promise<number> {
    const { cache, store } = this.#options;
    await this.idle();
    await this.#saveNotes();
    const isStored = (digest: Digest) => store.holds(digest);
    const droppedCount = await evictResults(cache, { isStored, maxBytes });
    this.#sets.clear();
    await this.#noteEviction();
    return droppedCount;
  }

  /** To be called when no build is under way: writes down what was noted, and once a day does as `evict`. */
  async tidy(maxBytes: number): Promise<void> {
    const { cache, clock } = this.#options;
    const latest = evictedSchema.safeParse(await cache.get('evicted'));
    if (latest.success && latest.data.atMs <= clock.nowMs() - dayMs) return void (await this.evict(maxBytes));
    await this.#saveNotes();
    if (!latest.success) await this.#noteEviction();
  }

  /** What is kept, and how useful it was so far. */
  async statistics(): Promise<CacheStatistics> {
    await this.idle();
    await this.#saveNotes();
    let [resultCount, quarantinedCount, sizeBytes] = [0, 0, 0];
    for await (const { key, sizeBytes: bytes } of this.#options.cache.sizes('')) {
      if (key.startsWith('r ')) resultCount += 1;
      if (key.startsWith('x ')) quarantinedCount += 1;
      sizeBytes += bytes;
    }
    const counted = countersSchema.parse((await this.#options.cache.get('c')) ?? noCounts);
    return { resultCount, quarantinedCount, sizeBytes, ...counted };
  }

  /** What an executor need not tell again, see `Job.systemTraceKnown`. */
  knownOf(executor: string): NonNullable<Job['systemTraceKnown']> {
    return this.#options.generations.knownOf(executor);
  }

  /** Keeps a result, unless it must not be kept. Never rejects; may be called without waiting. @returns its key */
  store(finished: Finished): Promise<{ key: string } | { notStored: NotStored }> {
    const storing = this.#store(finished)
      .then((stored) => {
        if ('notStored' in stored) this.#counters.notStored(stored.notStored);
        return stored;
      })
      .catch((error): { notStored: NotStored } => {
        this.#options.onNotice(`A result was not kept: ${error instanceof Error ? error.message : error}`);
        return { notStored: 'basis-gone' };
      })
      .finally(() => this.#storing.delete(storing));
    this.#storing.add(storing);
    return storing;
  }

  /** Resolves when nothing is being stored. */
  async idle(): Promise<void> {
    await Promise.all(this.#storing);
  }

  /** Waits for what is being stored. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.idle();
    await this.#saveNotes().catch(() => {});
  }

  /** Whether any of them is. */
  async #isQuarantined(keys: readonly string[]): Promise<boolean> {
    const found = await this.#options.cache.getMany(keys.map((key) => `x ${key}`));
    return found.some((record) => record !== undefined);
  }

  #miss(reason: MissReason, differences: Difference[]): Answer {
    this.#counters.miss(reason);
    return { kind: 'miss', reason, differences: differences.slice(0, maxDifferences) };
  }

  /** Against the latest command for the same output, or that begins alike in the same folder. */
  async #compareTraits(question: Question): Promise<Difference[]> {
    const earlier = traitsSchema.safeParse(await this.#options.cache.get(`q ${likenessOf(question)}`));
    return earlier.success ? compareTraits(earlier.data, traitsOf(question)) : [];
  }

  /** Against the run that differs least. */
  async #compareStates(
    weak: string,
    sets: readonly PathSet[],
    overwritten: Overwritten,
  ): Promise<Difference[]> {
    const { cache, generations } = this.#options;
    const earlier = await cache.getMany(sets.map(({ id }) => `t ${weak} ${id}`));
    let nearest: { differences: Difference[]; generation: string } | undefined;
    for (const [index, set] of sets.entries()) {
      const run = statesSchema.safeParse(earlier[index]);
      const states = this.#statesNow(set, overwritten);
      if (!run.success || !states) continue;
      const differences = compareStates(set.observations, run.data.states, states);
      if (nearest && nearest.differences.length <= differences.length) continue;
      nearest = { differences, generation: run.data.generation };
    }
    if (!nearest || nearest.differences.length > 0) return nearest?.differences ?? [];
    const changed = await generations.differences(nearest.generation);
    return changed.map(([name, was, is]) => ({ kind: 'system', name, was, is }));
  }

  /** Adds what was counted here to what is written; last uses are written for a whole build at once. */
  async #saveNotes(): Promise<void> {
    const { cache } = this.#options;
    const [counters, used] = [this.#counters, this.#used];
    this.#counters = new CacheCounters();
    this.#used = new Map();
    const former = countersSchema.safeParse(await cache.get('c'));
    await cache.write([
      { key: 'c', value: counters.addedTo(former.success ? former.data : noCounts) },
      ...[...used].map(([key, usedMs]) => ({ key: `u ${key}`, value: { usedMs } })),
    ]);
  }

  #noteEviction(): Promise<void> {
    const { cache, clock } = this.#options;
    return cache.write([{ key: 'evicted', value: { atMs: clock.nowMs() } }]);
  }

  async #store({ question, basis, manifest, executor, printed, stdin, acceptsFailure }: Finished) {
    const { workspace, generations, cache, store, clock, distortState = (state) => state } = this.#options;
    const { status, systemTrace } = manifest;
    // A signal may have come from outside, as for want of memory.
    if (status.kind === 'signal' || (hasFailed(manifest) && !acceptsFailure))
      return { notStored: 'failed' } as const;
    if (stdin === undefined) return { notStored: 'stdin-read' } as const;
    if (question.network) return { notStored: 'network' } as const;
    if (manifest.wasShortOfMemory) return { notStored: 'out-of-memory' } as const;
    if (!systemTrace) return { notStored: 'no-trace' } as const;
    const overwritten = overwrittenOutputs(question);
    const observations = normalize(manifest.trace, overwritten);
    const former = workspace.inputs.former(basis.root);
    const states = observations.map((seen) => distortState(former.state(seen, overwritten), seen));
    const copiesTimes = hasCopiedTime(manifest, (path) => former.mtimeNs(path));
    if (former.isIncomplete) return { notStored: 'basis-gone' } as const;
    if (copiesTimes) return { notStored: 'times-copied' } as const;
    const generation = await generations.extend(basis.epoch, executor, systemTrace);
    if (generation === undefined) return { notStored: 'system-changed' } as const;
    for (const digest of [manifest.stdout, manifest.stderr]) {
      const bytes = printed.get(digest.hash);
      if (bytes) await store.put(digest, bytes);
    }
    if (!(await this.#isStored(manifest))) return { notStored: 'content-missing' } as const;
    const weak = weakFingerprint(question);
    const pathSet = pathSetFingerprint(observations);
    const key = strongFingerprint({ weak, pathSet, states, generation, stdin });
    if (await this.#isQuarantined([key])) return { notStored: 'quarantined' } as const;
    const sets = await this.#pathSets(weak);
    const known = sets.findIndex(({ id }) => id === pathSet);
    sets.unshift(...(known < 0 ? [{ id: pathSet, observations }] : sets.splice(known, 1)));
    const dropped = sets.splice(maxPathSets);
    const { trace: _trace, systemTrace: _systemTrace, changes, ...rest } = manifest;
    const kept = { ...rest, trace: [], changes: changes.map((change) => ({ ...change, base: null })) };
    const likeness = likenessOf(question);
    const tookMs = Number((manifest.finishedNs - manifest.startedNs) / 1_000_000n);
    await cache.write([
      {
        key: `r ${key}`,
        value: { manifest: kept, tookMs, storedMs: clock.nowMs(), set: `${weak} ${pathSet}`, generation },
      },
      { key: `s ${weak} ${pathSet}`, value: observations.map(({ path, flags }) => [path, flags]) },
      { key: `t ${weak} ${pathSet}`, value: { states, generation } },
      { key: `q ${likeness}`, value: traitsOf(question) },
      { key: `w ${weak}`, value: { sets: sets.map(({ id }) => id), likeness } },
      ...dropped.flatMap(({ id }) => [{ key: `s ${weak} ${id}` }, { key: `t ${weak} ${id}` }]),
    ]);
    return { key };
  }

  /** undefined when they cannot be told just now. */
  #statesNow({ observations }: PathSet, overwritten: Overwritten): string[] | undefined {
    const { workspace, distortState = (state: string) => state } = this.#options;
    const states: string[] = [];
    for (const observation of observations) {
      const state = workspace.inputs.state(observation, overwritten);
      if (state === undefined) return undefined;
      states.push(distortState(state, observation));
    }
    return states;
  }

  /** As they were; undefined when that is not known any more. */
  #statesOn({ root }: Basis, { observations }: PathSet, overwritten: Overwritten): string[] | undefined {
    const { workspace, distortState = (state: string) => state } = this.#options;
    const former = workspace.inputs.former(root);
    const states = observations.map((seen) => distortState(former.state(seen, overwritten), seen));
    return former.isIncomplete ? undefined : states;
  }

  async #pathSets(weak: string): Promise<PathSet[]> {
    const known = this.#sets.get(weak);
    if (known) return known;
    const { cache } = this.#options;
    const parsed = weakSchema.safeParse(await cache.get(`w ${weak}`));
    const ids = parsed.success ? parsed.data.sets : [];
    const records = await cache.getMany(ids.map((id) => `s ${weak} ${id}`));
    const sets = ids.flatMap((id, index) => {
      const record = pathSetSchema.safeParse(records[index]);
      if (!record.success) return [];
      const observations = record.data.map(([path, flags]) => ({ path, flags }));
      return pathSetFingerprint(observations) === id ? [{ id, observations }] : [];
    });
    // Somebody else may have been faster, and may have added to it.
    const latest = this.#sets.get(weak) ?? sets;
    if (this.#sets.size >= maxKnownCommands) this.#sets.delete(this.#sets.keys().next().value!);
    this.#sets.set(weak, latest);
    return latest;
  }

  async #isStored(manifest: Manifest): Promise<boolean> {
    return (await this.#options.store.findMissing(contentOfResult({ manifest }))).length === 0;
  }

  /** The same changes, from what stands there now. */
  #rebased(manifest: Manifest): Manifest {
    const { inputs } = this.#options.workspace;
    const changes = manifest.changes
      .map((change) => ({ ...change, base: inputs.node(change.path) }))
      .filter(({ base, node }) => base !== null || node !== null);
    return { ...manifest, changes };
  }
}

function hasFailed({ status }: Manifest): boolean {
  return status.kind === 'signal' || status.code !== 0;
}

/** Whether something stands at a path that is overwritten unseen is no observation. */
function normalize(trace: readonly Observation[], overwritten: Overwritten): Observation[] {
  const { found, absent } = ObservationFlag;
  return trace.map(({ path, flags }) => ({
    path,
    flags: overwritten.has(path) ? flags | found | absent : flags,
  }));
}

/** The same for commands that make the same, as far as that can be seen: only for explanations. */
function likenessOf(question: Question): string {
  const [output] = overwrittenOutputs(question).keys();
  const made = output === undefined ? question.argv : [output];
  return digestOf(encodeBytes([question.cwd, ...made].join('\0'))).hash;
}

/** Whether it gave an output the time of an input: such a time must not be given again when the input's has changed. */
function hasCopiedTime({ changes, trace }: Manifest, mtimeNs: (path: string) => bigint | undefined): boolean {
  const given = new Set(changes.flatMap(({ node }) => (node?.type === 'file' ? [node.mtimeNs] : [])));
  return trace.some(({ path }) => {
    const time = mtimeNs(path);
    return time !== undefined && given.has(time);
  });
}
