import { relative } from 'node:path';
import { z } from 'zod';
import type { ActionCache } from '../cas/action-cache.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Difference } from '../protocol/build-log.ts';
import type { Digest } from '../protocol/digest.ts';
import { type Job, type Manifest, manifestSchema, type Observation } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Limit } from '../runtime/limit.ts';
import type { CacheStatistics } from './cache-counters.ts';
import { countedObservations } from './counted-observations.ts';
import { contentOfResult, contentOfResults, evictResults } from './evict-results.ts';
import { maxDifferences } from './explain-miss.ts';
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
import { likenessOf, MissExplainer } from './miss-explainer.ts';
import { overwrittenOutputs } from './overwritten-outputs.ts';
import { type PathSet, PathSets } from './path-sets.ts';
import type { FormerTree, Viewpoint } from './path-state.ts';
import { statesIn } from './set-states.ts';
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

/** A path set and the fingerprint of its states at one moment. */
interface Seen {
  set: PathSet;
  states: string;
}

interface Candidate extends Seen {
  key: string;
}

/** Beside the states: of a command and the machine, and what may be served to whoever asks. */
interface Circumstances {
  weak: string;
  ids: readonly string[];
  uses: readonly StdinUse[];
  streams: readonly Streams[];
}

const maxAttempts = 3;
const dayMs = 24 * 60 * 60 * 1000;

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
  readonly #explainer: MissExplainer;
  readonly #storing = new Set<Promise<unknown>>();

  constructor(options: ResultCacheOptions) {
    this.#options = options;
    this.#sets = new PathSets(options.cache);
    this.#limits = new KnownLimits(options.cache);
    this.#notes = new UsageNotes(options.cache);
    this.#explainer = new MissExplainer(options.cache, options.generations);
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
    if (sets.length === 0) return this.#miss('new-command', await this.#explainer.compareTraits(question));
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { revision, ids } = await this.#options.generations.valid();
      if ((await this.#options.workspace.refresh()) !== revision) continue;
      // Nothing may be awaited from the refresh to here.
      const seen = sets.flatMap((set) => {
        const list = this.#statesNow(set, view);
        return list ? [{ set, states: statesFingerprint(list) }] : [];
      });
      const circumstances = { weak, ids, uses, streams };
      const candidates = candidatesOf(seen, circumstances);
      const found = await this.#results(candidates);
      const index = found.findIndex((result) => result && servesStreams(result.manifest, question));
      if (index < 0) {
        const other = await this.#otherResult(seen, circumstances, found.some(Boolean));
        if (other) return this.#miss('inputs-changed', [other]);
        if (await this.#isQuarantined(candidates)) return this.#miss('quarantined', []);
        const statesNow = (set: PathSet) => this.#statesNow(set, view);
        return this.#miss('inputs-changed', await this.#explainer.compareStates(weak, sets, statesNow));
      }
      const { set, states, key } = candidates[index]!;
      const { manifest, tookMs } = found[index]!;
      if (hasFailed(manifest) && !acceptsFailure) return this.#miss('failed-before', []);
      if (!(await this.#isStored(manifest))) return this.#miss('content-missing', []);
      // While the database was read things may have changed; the bases have to be of the same moment as the states.
      const latest = this.#statesNow(set, view);
      if (!latest || statesFingerprint(latest) !== states) continue;
      this.#sets.used(weak, set);
      const holdsOn = (at: Basis) => {
        const then = at.revision === revision ? this.#statesOn(at, set, view) : undefined;
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

  /** In the order of the keys; undefined where there is none. */
  async #results(candidates: readonly Candidate[]): Promise<(z.infer<typeof resultSchema> | undefined)[]> {
    const records = await this.#options.cache.getMany(candidates.map(({ key }) => `r ${key}`));
    return records.map((record) => (record === undefined ? undefined : resultSchema.parse(record)));
  }

  /** What is missing for a result that there is: it was made with other streams, or with an input that was empty. */
  async #otherResult(
    seen: readonly Seen[],
    circumstances: Circumstances,
    isUnserved: boolean,
  ): Promise<Difference | undefined> {
    const streams = { kind: 'streams', name: 'stdout and stderr' } as const;
    if (isUnserved) return { ...streams, was: 'two files', is: 'one file' };
    const has = async (others: Pick<Circumstances, 'uses' | 'streams'>) =>
      (await this.#results(candidatesOf(seen, { ...circumstances, ...others }))).some(Boolean);
    if (await has({ uses: circumstances.uses, streams: ['together'] }))
      return { ...streams, was: 'one file', is: 'two files' };
    if (await has({ uses: ['empty'], streams: circumstances.streams }))
      return { kind: 'other', name: 'standard input', was: 'empty', is: 'not empty' };
    return undefined;
  }

  /** Whether any of them is. */
  async #isQuarantined(candidates: readonly Pick<Candidate, 'key'>[]): Promise<boolean> {
    const found = await this.#options.cache.getMany(candidates.map(({ key }) => `x ${key}`));
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
    if (await this.#isQuarantined([{ key }])) return { notStored: 'quarantined' } as const;
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
      ...this.#explainer.notesOf(question, { setKey: `${weak} ${pathSet}`, states, generation }),
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

/** Each result that the states that were seen may name, the likeliest first. */
function candidatesOf(seen: readonly Seen[], { weak, ids, uses, streams }: Circumstances): Candidate[] {
  return seen.flatMap(({ set, states }) =>
    ids.flatMap((generation) =>
      uses.flatMap((stdin) =>
        streams.map((use) => {
          const key = strongFingerprint({ weak, pathSet: set.id, states, generation, stdin, streams: use });
          return { set, states, key };
        }),
      ),
    ),
  );
}

/** Whether what it printed can be given to who asks: in the order in which it was written, where both streams are one file. */
function servesStreams({ stdout, stderr }: Manifest, { mergeOutput }: Question): boolean {
  return !mergeOutput || stdout.sizeBytes === 0 || stderr.sizeBytes === 0;
}

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
