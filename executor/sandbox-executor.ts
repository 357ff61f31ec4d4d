import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../protocol/digest.ts';
import type { Job, JobResult, Manifest } from '../protocol/job.ts';
import { AppError, explainError } from '../runtime/app-error.ts';
import { isErrno } from '../runtime/errno.ts';
import { type Failure, fail, type Result, succeed } from '../runtime/failure.ts';
import type { BoxClient } from './box-client.ts';
import type { DoneMessage } from './box-messages.ts';
import type { Content } from './content.ts';
import type { Executor } from './executor.ts';
import type { JobMemory } from './job-memory.ts';
import { JobRun, type JobRunOptions } from './job-run.ts';
import type { OomKills } from './oom-kills.ts';
import { type Origin, originKey } from './origin.ts';
import { type OutputStore, takeOutputs } from './outputs.ts';
import { Prediction } from './prediction.ts';
import { RememberedCommands } from './remembered-commands.ts';
import type { Slots } from './slots.ts';
import { SnapshotTree } from './snapshot-tree.ts';
import type { SystemMirrors } from './system-mirrors.ts';

/** With less than this a command that fails may have failed for want of space. */
const scarceBytes = 16 * 1024 * 1024;

export interface SandboxExecutorOptions {
  /** For failures. */
  name: string;
  box: BoxClient;
  mirrors: SystemMirrors;
  slots: Slots;
  oomKills: OomKills;
  store: OutputStore;
  memory: JobMemory;
  /** Where jobs have their files when not in memory, absolute; best on the file system of the store. */
  jobsDir: string;
  /** The uid and gid of jobs outside of their sandboxes, see docs/decisions/0006. */
  hostId: number;
  /** What is known of the machine that a job comes from. */
  sourceOf: (origin: Job['origin']) => { origin: Origin; content: Content };
}

/** The base of all executors: mirrors the inputs of a job, runs it in the box, and takes its outputs into the store. */
export class SandboxExecutor implements Executor {
  readonly #options: SandboxExecutorOptions;
  readonly #prediction = new Prediction();
  /** Commands that have sockets. */
  readonly #networked = new RememberedCommands();
  #jobCount = 0;

  constructor(options: SandboxExecutorOptions) {
    this.#options = options;
  }

  async execute(job: Job, { signal }: { signal: AbortSignal }): Promise<JobResult> {
    try {
      return await this.#execute(job, signal);
    } catch (error) {
      return fail(signal.aborted ? { reason: 'cancelled' } : this.#failureOf(error));
    }
  }

  async #execute(job: Job, signal: AbortSignal): Promise<JobResult> {
    const { box, mirrors, slots, memory, jobsDir, hostId, sourceOf } = this.#options;
    const { origin, content } = sourceOf(job.origin);
    const project = `${originKey(job.origin)} ${job.projectRoot}`;
    const collecting = this.#prediction.collect(project, job.root, content);
    using _slots = await slots.acquire(signal, job.slots);
    const acquired = await mirrors.acquire(await box.box(), job.origin, { origin, content });
    if (!acquired.ok) return acquired;
    using lease = acquired.value;
    const { mirror } = lease;
    const directories = await collecting;
    for (;;) {
      const jobDir = join(jobsDir, `${++this.#jobCount}`);
      const memoryBytes = memory.bytesFor(job);
      // On disk it may have read its stdin when it asks for a socket, and could not be begun anew.
      const ownNetwork = memoryBytes === 0 || this.#networked.has(job);
      const options = { job, jobDir, memoryBytes, ownNetwork, mirror, origin, content, directories, hostId };
      const result = await this.#run({ ...options, signal }, project);
      if (result === 'needs-disk') memory.keepOnDisk(job);
      else if (result === 'needs-network') this.#networked.add(job);
      else return result;
    }
  }

  async #run(options: JobRunOptions, project: string): Promise<JobResult | 'needs-disk' | 'needs-network'> {
    const { job, mirror, content } = options;
    const { oomKills } = this.#options;
    const oomKillsBefore = oomKills.latest;
    const { unattributedCount } = mirror;
    using run = new JobRun(options);
    const ended = await run.ended;
    setImmediate(() => mirror.box.prepare());
    if (!ended.ok) return fail(await this.#explain(ended.failure));
    const done = ended.value;
    if (done === 'needs-disk' || done === 'needs-network') return done;
    this.#prediction.learn(project, done.trace);
    if (done.kind === 'limit') {
      await mirror.catchUp();
      const [limit] = [...done.noticed, ...mirror.takeReached(done.process, unattributedCount)];
      const untold: Failure = { reason: 'sandbox', message: 'the job was ended, and nothing says why' };
      return fail(limit ? { reason: 'limit', limit } : untold);
    }
    const doubt = await this.#doubt(done, job);
    if (doubt) return fail(doubt);
    const caughtUp = mirror.catchUp();
    // Awaited here: the files are gone as soon as this scope ends.
    const taken = await this.#takeOutputs(done, job.root, content);
    await caughtUp;
    // What it could not read there for a reason of ours it may have done without.
    if (mirror.isBroken) return fail(await mirror.broken);
    if (!taken.ok) return taken;
    const systemTrace = job.systemTraceKnown && mirror.traceBeyond(job.systemTraceKnown);
    return succeed({
      ...taken.value,
      reached: [...mirror.takeReached(done.process, unattributedCount), ...taken.value.reached],
      ...(oomKills.read() === oomKillsBefore ? {} : { wasShortOfMemory: true }),
      ...(systemTrace ? { systemTrace } : {}),
    });
  }

  /** Why what the command ended with may be the fault of this executor, not its own. */
  async #doubt(done: DoneMessage, { timeoutMs }: Job): Promise<Failure | undefined> {
    if (done.kind === 'timeout') return { reason: 'timed-out', timeoutMs };
    if (done.kind === 'exit' && done.value === 0) return undefined;
    return (await this.#isSpaceScarce()) ? { reason: 'disk-full', executor: this.#options.name } : undefined;
  }

  /** A sandbox breaks when there is no space for its files. */
  async #explain(failure: Failure): Promise<Failure> {
    const isFull = failure.reason === 'sandbox' && (await this.#isSpaceScarce());
    return isFull ? { reason: 'disk-full', executor: this.#options.name } : failure;
  }

  async #isSpaceScarce(): Promise<boolean> {
    const { bavail, blocks, bsize } = await statfs(this.#options.jobsDir);
    return bavail * bsize < Math.min(scarceBytes, (blocks * bsize) / 50);
  }

  async #takeOutputs(done: DoneMessage, root: Digest, content: Content): Promise<Result<Manifest>> {
    const { store } = this.#options;
    let missing: Failure | undefined;
    const base = new SnapshotTree(root, async (digest) => {
      const found = await content.directory(digest);
      if (found.ok) return found.value;
      missing = found.failure;
      throw new Error('Directory of the base is not to be had');
    });
    try {
      return await takeOutputs({ done, base, store });
    } catch (error) {
      if (missing) return fail(missing);
      throw error;
    }
  }

  #failureOf(error: unknown): Failure {
    const isFull =
      error instanceof AppError ? error.code === 'disk-full' : isErrno(error, 'ENOSPC', 'EDQUOT');
    if (isFull) return { reason: 'disk-full', executor: this.#options.name };
    return { reason: 'sandbox', message: explainError(error) };
  }
}
