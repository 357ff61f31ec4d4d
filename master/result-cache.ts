import { relative } from 'node:path';
import { z } from 'zod';
import type { ActionCache } from '../cas/action-cache.ts';
import { digestOf } from '../cas/digest.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Difference } from '../protocol/build-log.ts';
import type { Digest } from '../protocol/digest.ts';
import { type Job, type Manifest, manifestSchema, type Observation } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Limit } from '../runtime/limit.ts';
import { ageRanks } from './age-order.ts';
import type { CacheStatistics } from './cache-counters.ts';
import { countedObservations } from './counted-observations.ts';
import { contentOfResult, contentOfResults, evictResults } from './evict-results.ts';
import { compareStates, compareTraits, maxDifferences, traitsOf, traitsSchema } from './explain-miss.ts';
import {
  pathSetFingerprint,
  type Question,
  type StdinUse,
  type Streams,
  statesFingerprint,
  strongFingerprint,
  weakFingerprint,
} from './fingerprint.ts';
import { KnownLimits } from './known-limits.ts';
import { overwrittenOutputs } from './overwritten-outputs.ts';
import { type PathSet, PathSets } from './path-sets.ts';
import { CountFlag, type FormerTree, type Viewpoint } from './path-state.ts';
import { showsTime } from './shown-times.ts';
import type { SystemGenerations } from './system-generations.ts';
import { UsageNotes } from './usage-notes.ts';
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

const maxAttempts = 3;
const dayMs = 24 * 60 * 60 * 1000;

const statesSchema = z.object({ states: z.array(z.string()), generation: z.string() });
const evictedSchema = z.object({ atMs: z.number() });
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
  readonly #sets: PathSets;
  readonly #limits: KnownLimits;
  readonly #notes: UsageNotes;
  readonly #storing = new Set<Promise<unknown>>();

  constructor(options: ResultCacheOptions) {
    this.#options = options;
    this.#sets = new PathSets(options.cache);
    this.#limits = new KnownLimits(options.cache);
    this.#notes = new UsageNotes(options.cache);
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
    const view = this.#viewpoint(question);
    const uses: StdinUse[] = isStdinEmpty ? ['unread', 'empty'] : ['unread'];
    const streams: Streams[] = question.mergeOutput ? ['apart', 'together'] : ['apart'];
    const sets = [...(await this.#sets.of(weak))];
    if (sets.length === 0) return this.#miss('new-command', await this.#compareTraits(question));
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { epoch, ids } = await this.#options.generations.valid();
      if ((await this.#options.workspace.refresh()) !== epoch) continue;
      // Nothing may be awaited from the refresh to here.
      const candidates = sets.flatMap((set) => {
        const list = this.#statesNow(set, view);
        if (!list) return [];
        const states = statesFingerprint(list);
        const common = { weak, pathSet: set.id, states };
        return ids.flatMap((generation) =>
          uses.flatMap((stdin) =>
            streams.map((use) => ({
              ...{ set, states, key: strongFingerprint({ ...common, generation, stdin, streams: use }) },
            })),
          ),
        );
      });
      const keys = candidates.map(({ key }) => key);
      const records = await this.#options.cache.getMany(keys.map((key) => `r ${key}`));
      const found = records.map((record) => (record === undefined ? undefined : resultSchema.parse(record)));
      const index = found.findIndex((result) => result && servesStreams(result.manifest, question));
      if (index < 0)
        return this.#noResult({ weak, question, sets, view, keys, isOther: found.some(Boolean) });
      const { set, states, key } = candidates[index]!;
      const { manifest, tookMs } = found[index]!;
      if (hasFailed(manifest) && !acceptsFailure) return this.#miss('failed-before', []);
      if (!(await this.#isStored(manifest))) return this.#miss('content-missing', []);
      // While the database was read things may have changed; the bases have to be of the same moment as the states.
      const latest = this.#statesNow(set, view);
      if (!latest || statesFingerprint(latest) !== states) continue;
      this.#sets.used(weak, set);
      const holdsOn = (at: Basis) => {
        const then = at.epoch === epoch ? this.#statesOn(at, set, view) : undefined;
        return then !== undefined && statesFingerprint(then) === states;
      };
      return { kind: 'hit', key, manifest: this.#rebased(manifest), tookMs, holdsOn };
    }
    return this.#miss('inputs-changed', []);
  }

  /** The limit of the sandbox that this command has reached before: it has to run beside make. */
  knownLimit(question: Question): Promise<Limit | undefined> {
    return this.#limits.of(weakFingerprint(question));
  }

  /** Remembers it with the command. What fails is not remembered: the next state of its inputs may do. */
  rememberLimit(question: Question, limit: Limit): void {
    if (limit.kind === 'failed') return;
    const writing = this.#limits
      .remember(weakFingerprint(question), limit)
      .catch((error) => this.#options.onNotice(`A limit was not remembered: ${describeError(error)}`))
      .finally(() => this.#storing.delete(writing));
    this.#storing.add(writing);
  }

  /** Counts a hit: one that took the place of running the command. */
  used({ key, tookMs }: Hit): void {
    this.#notes.hit(key, { savedMs: tookMs, nowMs: this.#options.clock.nowMs() });
  }

  /** Takes out a result that was not reproduced; none is kept under that key any more (`x` in the cache). */
  quarantine(key: string): Promise<void> {
    return this.#options.cache.write([{ key: `r ${key}` }, { key: `x ${key}`, value: true }]);
  }

  /** Forgets all results; their content stays in the store. @returns the hashes of that content */
  async clear(): Promise<Set<string>> {
    const content = await contentOfResults(this.#options.cache);
    this.#sets.forgetAll();
    this.#limits.forgetAll();
    this.#notes.forgetAll();
    this.#options.generations.forgetAll();
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
    await this.#notes.save();
    const isStored = (digest: Digest) => store.holds(digest);
    const droppedCount = await evictResults(cache, { isStored, maxBytes });
    this.#sets.forgetAll();
    await this.#noteEviction();
    return droppedCount;
  }

  /** To be called when no build is under way: writes down what was noted, and once a day does as `evict`. */
  async tidy(maxBytes: number): Promise<void> {
    const { cache, clock } = this.#options;
    const latest = evictedSchema.safeParse(await cache.get('evicted'));
    if (latest.success && latest.data.atMs <= clock.nowMs() - dayMs) return void (await this.evict(maxBytes));
    await this.#notes.save();
    if (!latest.success) await this.#noteEviction();
  }

  /** What is kept, and how useful it was so far. */
  async statistics(): Promise<CacheStatistics> {
    await this.idle();
    await this.#notes.save();
    return this.#notes.statistics();
  }

  /** What an executor need not tell again, see `Job.systemTraceKnown`. */
  knownOf(executor: string): NonNullable<Job['systemTraceKnown']> {
    return this.#options.generations.knownOf(executor);
  }

  /** Keeps a result, unless it must not be kept. Never rejects; may be called without waiting. @returns its key */
  store(finished: Finished): Promise<{ key: string } | { notStored: NotStored }> {
    const storing = this.#store(finished)
      .then((stored) => {
        if ('notStored' in stored) this.#notes.notStored(stored.notStored);
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
    await this.#notes.save().catch(() => {});
  }

  /** Whether any of them is. */
  async #isQuarantined(keys: readonly string[]): Promise<boolean> {
    const found = await this.#options.cache.getMany(keys.map((key) => `x ${key}`));
    return found.some((record) => record !== undefined);
  }

  #miss(reason: MissReason, differences: Difference[]): Answer {
    this.#notes.miss(reason);
    return {
      kind: 'miss',
      reason,
      differences: differences.slice(0, maxDifferences),
    };
  }

  /** @param isOther there is a result for these inputs, of which the streams cannot be had as they are wanted */
  async #noResult(at: {
    weak: string;
    question: Question;
    sets: readonly PathSet[];
    view: Viewpoint;
    keys: readonly string[];
    isOther: boolean;
  }): Promise<Answer> {
    const [apart, together] = ['two files', 'one file'];
    const [was = '', is = ''] = at.question.mergeOutput ? [apart, together] : [together, apart];
    const streams: Difference = { kind: 'streams', name: 'stdout and stderr', was, is };
    if (at.isOther) return this.#miss('inputs-changed', [streams]);
    if (await this.#isQuarantined(at.keys)) return this.#miss('quarantined', []);
    return this.#miss('inputs-changed', await this.#compareStates(at.weak, at.sets, at.view));
  }

  /** Against the latest command for the same output, or that begins alike in the same folder. */
  async #compareTraits(question: Question): Promise<Difference[]> {
    const earlier = traitsSchema.safeParse(await this.#options.cache.get(`q ${likenessOf(question)}`));
    return earlier.success ? compareTraits(earlier.data, traitsOf(question)) : [];
  }

  /** Against the run that differs least. */
  async #compareStates(weak: string, sets: readonly PathSet[], view: Viewpoint): Promise<Difference[]> {
    const { cache, generations } = this.#options;
    const earlier = await cache.getMany(sets.map(({ id }) => `t ${weak} ${id}`));
    let nearest: { differences: Difference[]; generation: string } | undefined;
    for (const [index, set] of sets.entries()) {
      const run = statesSchema.safeParse(earlier[index]);
      const states = this.#statesNow(set, view);
      if (!run.success || !states) continue;
      const differences = compareStates(set.observations, run.data.states, states);
      if (nearest && nearest.differences.length <= differences.length) continue;
      nearest = { differences, generation: run.data.generation };
    }
    if (!nearest || nearest.differences.length > 0) return nearest?.differences ?? [];
    const changed = await generations.differences(nearest.generation);
    return changed.map(([name, was, is]) => ({ kind: 'system', name, was, is }));
  }

  #noteEviction(): Promise<void> {
    const { cache, clock } = this.#options;
    return cache.write([{ key: 'evicted', value: { atMs: clock.nowMs() } }]);
  }

  async #store({ question, basis, manifest, executor, printed, stdin, acceptsFailure }: Finished) {
    const { workspace, generations, cache, store, clock, distortState } = this.#options;
    const { status, systemTrace } = manifest;
    // A signal may have come from outside, as for want of memory.
    if (status.kind === 'signal' || (hasFailed(manifest) && !acceptsFailure))
      return { notStored: 'failed' } as const;
    if (stdin === undefined) return { notStored: 'stdin-read' } as const;
    if (question.network) return { notStored: 'network' } as const;
    if (manifest.wasShortOfMemory) return { notStored: 'out-of-memory' } as const;
    if (!systemTrace) return { notStored: 'no-trace' } as const;
    const former = workspace.inputs.former(basis.root);
    const { observations, view } = await this.#observed(question, manifest, former);
    const states = statesIn(former, observations, { view, distortState });
    if (former.isIncomplete || !states) return { notStored: 'basis-gone' } as const;
    const generation = await generations.extend(basis.epoch, executor, systemTrace);
    if (generation === undefined) return { notStored: 'system-changed' } as const;
    for (const digest of [manifest.stdout, manifest.stderr]) {
      const bytes = printed.get(digest.hash);
      if (bytes) await store.put(digest, bytes);
    }
    if (!(await this.#isStored(manifest))) return { notStored: 'content-missing' } as const;
    const weak = weakFingerprint(question);
    const pathSet = pathSetFingerprint(observations);
    const isTogether = question.mergeOutput && manifest.stdout.sizeBytes > 0;
    const key = strongFingerprint({
      ...{ weak, pathSet, generation, stdin, states: statesFingerprint(states) },
      streams: isTogether ? 'together' : 'apart',
    });
    if (await this.#isQuarantined([key])) return { notStored: 'quarantined' } as const;
    const { trace: _trace, systemTrace: _systemTrace, changes, ...rest } = manifest;
    const kept = { ...rest, trace: [], changes: changes.map((change) => ({ ...change, base: null })) };
    const likeness = likenessOf(question);
    const setRecords = await this.#sets.add(weak, { id: pathSet, observations }, likeness);
    const tookMs = Number((manifest.finishedNs - manifest.startedNs) / 1_000_000n);
    await cache.write([
      {
        key: `r ${key}`,
        value: { manifest: kept, tookMs, storedMs: clock.nowMs(), set: `${weak} ${pathSet}`, generation },
      },
      { key: `t ${weak} ${pathSet}`, value: { states, generation } },
      { key: `q ${likeness}`, value: traitsOf(question) },
      ...setRecords,
    ]);
    return { key };
  }

  /** What counts of what a command looked at, and from where its states are to be seen. */
  async #observed(question: Question, manifest: Manifest, former: FormerTree) {
    const { store } = this.#options;
    const view = this.#viewpoint(question, manifest.startedNs);
    const cwd = relative(question.projectRoot, question.cwd);
    const read = async (digest: Digest, maxBytes: number) =>
      digest.sizeBytes <= maxBytes ? store.get(digest) : await beginning(await store.read(digest), maxBytes);
    const observations = await countedObservations({
      ...{ manifest, former, overwritten: view.overwritten, timeUse: question.timeUse },
      cwd: cwd.startsWith('..') ? undefined : cwd,
      showsTimes: (timesNs) =>
        showsTime(manifest, { timesNs, read, isCompiled: question.timeUse === 'unused' }),
    });
    return { observations, view };
  }

  /** @param startNs when the command started; it is now, if it is about to */
  #viewpoint(
    question: Question,
    startNs = BigInt(Math.round(this.#options.clock.nowMs())) * 1_000_000n,
  ): Viewpoint {
    const nowNs = question.timeUse === 'unused' ? undefined : startNs;
    return { overwritten: overwrittenOutputs(question), nowNs };
  }

  /** undefined when they cannot be told just now. */
  #statesNow({ observations }: PathSet, view: Viewpoint): string[] | undefined {
    const { workspace, distortState } = this.#options;
    return statesIn(workspace.inputs, observations, { view, distortState });
  }

  /** As they were; undefined when that is not known any more. */
  #statesOn({ root }: Basis, { observations }: PathSet, view: Viewpoint): string[] | undefined {
    const { workspace, distortState } = this.#options;
    const former = workspace.inputs.former(root);
    const states = statesIn(former, observations, { view, distortState });
    return former.isIncomplete ? undefined : states;
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

/** Whether what it printed can be given to who asks: in the order in which it was written, where both streams are one file. */
function servesStreams({ stdout, stderr }: Manifest, { mergeOutput }: Question): boolean {
  return !mergeOutput || stdout.sizeBytes === 0 || stderr.sizeBytes === 0;
}

/**
 * The states of observed paths, in their order, followed by how those compare by age that count for it.
 *
 * @returns undefined when one cannot be told just now
 */
function statesIn(
  tree: {
    state(observation: Observation, view: Viewpoint): string | undefined;
    timeNs(path: string): bigint | undefined;
  },
  observations: readonly Observation[],
  { view, distortState }: { view: Viewpoint } & Pick<ResultCacheOptions, 'distortState'>,
): string[] | undefined {
  const states: string[] = [];
  for (const observation of observations) {
    const state = tree.state(observation, view);
    if (state === undefined) return undefined;
    states.push(distortState?.(state, observation) ?? state);
  }
  const aged = observations.filter(({ flags }) => flags & ageFlags);
  const ranks = ageRanks(aged.map(({ path, flags }) => ({ flags, mtimeNs: tree.timeNs(path) })));
  return states.concat(ranks);
}

const ageFlags = CountFlag.compared | CountFlag.aged;

/** So much of what is read, without reading on. */
async function beginning(
  chunks: AsyncIterable<Uint8Array> | undefined,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (!chunks) return undefined;
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    parts.push(Uint8Array.from(chunk.subarray(0, maxBytes - sizeBytes)));
    sizeBytes += parts.at(-1)!.length;
    if (sizeBytes >= maxBytes) break;
  }
  return Buffer.concat(parts);
}

/** The same for commands that make the same, as far as that can be seen: only for explanations. */
function likenessOf(question: Question): string {
  const [output] = overwrittenOutputs(question).keys();
  const made = output === undefined ? question.argv : [output];
  return digestOf(encodeBytes([question.cwd, ...made].join('\0'))).hash;
}
