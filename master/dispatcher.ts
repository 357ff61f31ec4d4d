import type { BlobStore } from '../cas/blob-store.ts';
import type { Job, JobResult, Manifest, Observation } from '../protocol/job.ts';
import type { RunRequest } from '../protocol/run-request.ts';
import { AppError, describeError } from '../runtime/app-error.ts';
import { describeFailure, fail, type Result, succeed } from '../runtime/failure.ts';
import type { Limit } from '../runtime/limit.ts';
import { showLine } from '../runtime/say.ts';
import type { Caller } from './caller.ts';
import { acceptsFailure, type Command, mayFail, newCommand, stdinOf, stdinUse } from './command.ts';
import { mayCreateExclusively } from './exclusive-creation.ts';
import type { ExecutorPool, Lease, PoolMember } from './executor-pool.ts';
import { findForeign } from './foreign-files.ts';
import { InstalledPrograms } from './installed-programs.ts';
import { jobEnvironment } from './job-environment.ts';
import { fetchOutput, type JobOutput, sendOutput } from './job-output.ts';
import type { LocalRuleSet, LocalRules } from './local-rules.ts';
import type { LocalSlots } from './local-slots.ts';
import { nextStep } from './next-step.ts';
import { shownDirectories } from './own-places.ts';
import { commandLine, type Placement, place } from './placement.ts';
import { findHidden, reachedLimit } from './reached-limit.ts';
import type { ResultCache } from './result-cache.ts';
import type { Outcome, Session } from './session.ts';
import { findStaleInput, isUpdate } from './stale-input.ts';
import type { StdinRoutes } from './stdin-routes.ts';
import type { Verifier } from './verifier.ts';
import type { Basis, Workspace } from './workspace.ts';

export interface DispatcherOptions {
  workspace: Workspace;
  pool: ExecutorPool;
  rules: Pick<LocalRules, 'current'>;
  /** On this machine; large outputs of commands pass through it. */
  store: BlobStore;
  /** Absent: every command is run. */
  results?: ResultCache | undefined;
  verifier: Verifier;
  /** Absolute path of the folder with everything that is ours. */
  stateDir: string;
  stdinRoutes: StdinRoutes;
  localSlots: LocalSlots;
  /** How executors know and reach this master. */
  origin: { id: string; url: string };
  /** Absolute path of the shell that make is given. */
  ownShell: string;
}

const maxNotedOutputs = 100;

/**
 * Drives each command through its states:
 *
 *                               ┌────────────────────── hit ─────────────────────────┐
 *                               │                                                    ▼
 *     received ─► placed ─► looked up ─ miss ─► waits for a slot ─► snapshot ─► executing ─► committing ─► answered ─► stored
 *                   │                              ▲      │             │           │             │
 *                   │                              │      └─────────────┴─ failed ──┤             └ broke: abandoned
 *                   │                              └──── again ────────────┤        └ cancelled: nothing was applied
 *                   └─► local ◄────────────────── no more attempts ────────┘
 *
 * Up to `committing` every trouble of ours leads to another attempt and at last to running the command locally, said
 * out loud. From there on the caller is told what the command did, even when it asks to cancel.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #programs: InstalledPrograms;
  #lastJob = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#programs = new InstalledPrograms(options.workspace.projectRoot, Date.now);
  }

  /** Never rejects; resolves when the caller has its answer. */
  async dispatch(request: RunRequest, caller: Caller, session: Session): Promise<void> {
    const running = session.begin(commandLine(request), request.cwd);
    const onGone = () => running.abort();
    caller.signal.addEventListener('abort', onGone, { once: true });
    if (caller.signal.aborted) running.abort();
    try {
      const placement = await this.#place(request, { caller, session, running });
      if (placement) await this.#follow(placement, request, { caller, session, running });
    } catch (error) {
      // Before there was a command: the build goes on beside make.
      session.notice('internal-error', `running locally: ${describeError(error)}`);
      running.end({ where: 'local', reason: 'internal-error', isFallback: true });
      caller.runLocally({ isRecursive: true, hasEmptyStdin: false, envEdits: [], holdsSlot: false });
    } finally {
      caller.signal.removeEventListener('abort', onGone);
      running.end();
    }
  }

  /** undefined when the rules are wrong: then the caller has its answer. */
  async #place(
    request: RunRequest,
    { caller, session, running }: Pick<Command, 'caller' | 'session' | 'running'>,
  ): Promise<Placement | undefined> {
    let ruleSet: LocalRuleSet;
    try {
      ruleSet = this.#options.rules.current();
    } catch (error) {
      session.fail(describeError(error));
      await caller.write('stderr', Buffer.from(`termite: ${showLine(describeError(error))}\n`));
      running.end({ where: 'remote', isCached: false, hasFailed: true });
      caller.exited({ kind: 'exit', code: 125 });
      return undefined;
    }
    for (const notice of ruleSet.notices) session.notice(notice, notice);
    const { workspace, ownShell } = this.#options;
    return place(request, { rules: ruleSet.rules, projectRoot: workspace.projectRoot, ownShell });
  }

  async #follow(
    placement: Placement,
    original: RunRequest,
    { caller, session, running }: Pick<Command, 'caller' | 'session' | 'running'>,
  ): Promise<void> {
    const { rule } = placement;
    const { workspace, ownShell } = this.#options;
    const { projectRoot } = workspace;
    const options = { caller, session, running, projectRoot, ownShell, programs: this.#programs };
    const command = newCommand(original, placement, options);
    if (rule) running.note({ rule: { line: rule.line, ...(rule.reason && { reason: rule.reason }) } });
    try {
      if (placement.where === 'remote') return await this.#remote(command);
      const { reason, needsSlot } = placement;
      const ruleReason = reason === 'rule' ? rule?.reason : undefined;
      await this.#local(command, { reason, needsSlot, isFallback: false, ruleReason });
    } catch (error) {
      await this.#broke(command, error);
    }
  }

  /** Has it run where make is, when one of this machine's slots is free if it needs one. */
  async #local(
    command: Command,
    { needsSlot, ...outcome }: Omit<Extract<Outcome, { where: 'local' }>, 'where'> & { needsSlot: boolean },
  ): Promise<void> {
    const { request, caller, running, local } = command;
    const { signal } = running;
    let holdsSlot = false;
    try {
      holdsSlot = needsSlot && (await this.#options.localSlots.grant(request, signal));
    } catch (error) {
      if (!signal.aborted) throw error;
      return this.#cancelled(command);
    }
    running.end({ where: 'local', ...outcome });
    caller.runLocally({ ...local, holdsSlot });
  }

  async #remote(command: Command): Promise<void> {
    const { cache, hasNetwork } = command.treatment;
    const isTwice = command.session.check?.kind === 'twice';
    const results = cache === 'none' || isTwice ? undefined : this.#options.results;
    if (cache === 'none') command.running.note({ notStored: hasNetwork ? 'network' : 'rule' });
    const known = await results?.knownLimit(command.question);
    if (known) return this.#atLimit(command, known);
    if (results && (await this.#replay(command, results))) return;
    let because = '';
    for (;;) {
      const result = await this.#attempt(command, results);
      if (result.ok) return;
      const { failure } = result;
      const mayLock = mayCreateExclusively(command.request);
      const next = nextStep(failure, command.attempts, { mayLock });
      if (failure.reason === 'conflict') command.running.conflicted();
      if (next.step === 'cancelled') return this.#cancelled(command);
      // That nobody is left says less than why.
      if (because === '' || failure.reason !== 'no-executor') because = describeFailure(failure);
      if (failure.reason === 'limit') {
        results?.rememberLimit(command.question, failure.limit);
        if (failure.limit.kind !== 'failed') sayLocal(command, failure.limit.kind, because);
        if (command.stdin.canReplay) return this.#atLimit(command, failure.limit);
      }
      if (next.step === 'local') return this.#fallBack(command, { ...next, because });
      if (!command.stdin.canReplay) return this.#giveUp(command, because);
    }
  }

  #limitOf(command: Command, manifest: Manifest): Limit | undefined {
    const { workspace } = this.#options;
    const hasOtherNames = (path: string) => workspace.inputs.hasOtherNames(path);
    const otherNames = (path: string) => workspace.inputs.otherNames(path);
    const isConcealed = (observation: Observation) => workspace.inputs.isConcealed(observation);
    return reachedLimit(manifest, {
      mayFail: mayFail(command),
      ownDir: this.#options.stateDir,
      ...{ hasOtherNames, otherNames, isConcealed },
      findForeign: (looked) => this.#foreignIn(looked, command),
    });
  }

  #foreignIn(manifest: Pick<Manifest, 'changes' | 'trace'>, { question }: Command): string | undefined {
    const root = this.#options.workspace.projectRoot;
    return findForeign(manifest, { root, caller: question, showsOwners: question.timeUse === 'shown' });
  }

  /** Runs it beside make, since what it does in a sandbox is not what it does here. */
  #atLimit(command: Command, limit: Limit): Promise<void> {
    command.running.note({ limit });
    // What waits for another command must not keep it from its slot.
    const needsSlot = !['lock', 'network', 'background'].includes(limit.kind);
    return this.#local(command, { reason: limit.kind, needsSlot, isFallback: false });
  }

  /** Answers with a past result. @returns false when there is none, or it cannot be had: nothing has been done then */
  async #replay(command: Command, results: ResultCache): Promise<boolean> {
    const { request, question, session, running } = command;
    try {
      const answer = await results.lookUp(question, {
        isStdinEmpty: request.isStdinEmpty,
        acceptsFailure: acceptsFailure(command),
      });
      if (answer.kind === 'miss') {
        running.note({ reason: answer.reason, differences: answer.differences });
        return false;
      }
      if (this.#options.verifier.wants(session)) {
        command.rival = { kind: 'hit', hit: answer };
        return false;
      }
      // It was made when the places that a sandbox has for itself were as here, which are no part of the fingerprint.
      if (findHidden(answer.manifest, this.#options.stateDir)) return false;
      if (this.#foreignIn(answer.manifest, command) !== undefined) return false;
      running.note({ key: answer.key, savedMs: answer.tookMs });
      const replayed = await this.#finish(command, answer.manifest, {
        content: this.#options.store,
        isCached: true,
      });
      if (replayed.ok) results.used(answer);
      else if (replayed.failure.reason === 'cancelled') this.#cancelled(command);
      return replayed.ok || replayed.failure.reason === 'cancelled';
    } catch (error) {
      if (command.isCommitting) throw error;
      if (!running.signal.aborted)
        session.notice('cache', `a past result could not be used: ${describeError(error)}`);
      return false;
    }
  }

  /** One try. Failures leave everything as it was. */
  async #attempt(command: Command, results: ResultCache | undefined): Promise<Result<void>> {
    const { running } = command;
    const { signal } = running;
    const acquired = await this.#options.pool.acquire({
      ...{ signal, avoid: command.avoid, slotCount: command.treatment.slotCount },
    });
    if (!acquired.ok) return acquired;
    const lease = acquired.value;
    const { member } = lease;
    running.note({ executor: member.name });
    try {
      const { result, basis } = await this.#executeAsAsked(command, lease, results);
      // What follows is our work, not the executor's: its slot can be used meanwhile.
      lease.release();
      const { content } = member;
      const limit = result.ok ? this.#limitOf(command, result.value) : undefined;
      if (limit) return fail({ reason: 'limit', limit });
      const { rival } = command;
      if (result.ok && rival) {
        command.rival = undefined;
        await this.#options.verifier.verify({ ...command, rival, manifest: result.value, basis, content });
      }
      const finished = result.ok
        ? await this.#finish(command, result.value, { content, isCached: false, basis })
        : result;
      if (finished.ok && result.ok && results) {
        const { question } = command;
        const [manifest, executor, printed] = [result.value, member.name, finished.value.small];
        void results
          .store({
            ...{ question, basis, manifest, executor, printed },
            ...{ stdin: stdinUse(command), acceptsFailure: acceptsFailure(command) },
          })
          .then((stored) => running.note(stored));
      }
      if (!finished.ok && finished.failure.reason !== 'conflict') command.avoid.add(member.name);
      return finished.ok ? succeed(undefined) : finished;
    } catch (error) {
      if (command.isCommitting) throw error;
      if (signal.aborted) return fail({ reason: 'cancelled' });
      if (!(error instanceof AppError) || error.category !== 'infrastructure') throw error;
      command.avoid.add(member.name);
      return fail({ reason: 'executor-lost', executor: member.name, message: describeError(error) });
    } finally {
      lease.release();
    }
  }

  /** Once, or twice on the same state of the project where the build wants that. @returns the first, if both succeed */
  async #executeAsAsked(
    command: Command,
    lease: Lease,
    results: ResultCache | undefined,
  ): Promise<{ result: JobResult; basis: Basis }> {
    const basis = await this.#options.workspace.snapshot();
    const first = await this.#execute(command, lease, { results, basis });
    if (!first.ok || command.session.check?.kind !== 'twice') return { result: first, basis };
    const second = await this.#execute(command, lease, { results, basis });
    if (!second.ok) return { result: second, basis };
    command.rival = { kind: 'twin', manifest: second.value };
    return { result: first, basis };
  }

  async #execute(
    command: Command,
    lease: Lease,
    { results, basis }: { results: ResultCache | undefined; basis: Basis },
  ): Promise<JobResult> {
    const { stdinRoutes, origin, ownShell } = this.#options;
    const { request, treatment, question, running } = command;
    const { signal } = running;
    if (signal.aborted) return fail({ reason: 'cancelled' });
    this.#lastJob += 1;
    const { timeUse: _timeUse, ...asked } = question;
    const env = jobEnvironment(request.env, { own: ownShell, real: request.shell });
    const job: Job = {
      ...asked,
      ...{ env, shown: shownDirectories({ ...question, env }), context: request.context },
      slots: treatment.slotCount,
      id: `${origin.id}-${this.#lastJob}`,
      origin: { ...origin, epoch: basis.epoch, revision: basis.revision },
      root: basis.root,
      // Also of nothing it matters to the cache whether it was read.
      forwardStdin: !request.isStdinEmpty || results !== undefined,
      ...(results && { systemTraceKnown: results.knownOf(lease.member.name) }),
    };
    const toTerminal = new AbortController();
    using _route = job.forwardStdin ? stdinRoutes.open(job.id, stdinOf(command, toTerminal)) : undefined;
    const ends = request.isStdinTerminal ? AbortSignal.any([signal, toTerminal.signal]) : signal;
    const result = await lease.member.executor.execute(job, { signal: ends });
    if (toTerminal.signal.aborted) return fail({ reason: 'terminal' });
    lease.note(result);
    return result;
  }

  /** Applies the result and answers. @returns what was printed */
  async #finish(
    command: Command,
    manifest: Manifest,
    { content, isCached, basis }: Pick<PoolMember, 'content'> & { isCached: boolean; basis?: Basis },
  ): Promise<Result<JobOutput>> {
    const { workspace, store } = this.#options;
    const { caller, running } = command;
    const { signal } = running;
    const output = await fetchOutput(manifest, { content, store, signal });
    if (typeof output === 'string') return fail({ reason: 'content-missing', digest: output });
    const onCommitting = () => {
      command.isCommitting = true;
      caller.committing();
    };
    const isExclusive = mayCreateExclusively(command.request);
    // What comes from the cache was looked up an instant ago.
    const findStale =
      isExclusive && basis && isUpdate(manifest)
        ? () => findStaleInput(manifest.trace, basis.root, workspace.inputs)
        : undefined;
    const options = { content, onCommitting, signal, isExclusive, findStale };
    const committed = await workspace.commit(manifest, options);
    if (!committed.ok) {
      if (!command.isCommitting) return committed;
      throw new Error(`Internal error: a commit failed half-way: ${describeFailure(committed.failure)}`);
    }
    command.isCommitting = true;
    await sendOutput(output, caller, store);
    const { status } = manifest;
    const hasFailed = status.kind === 'signal' || status.code !== 0;
    running.note({ outputs: manifest.changes.slice(0, maxNotedOutputs).map(({ path }) => path) });
    running.end({ where: 'remote', isCached, hasFailed });
    caller.exited(status);
    return succeed(output);
  }

  async #fallBack(
    command: Command,
    { reason, isFallback, because }: { reason: string; isFallback: boolean; because: string },
  ): Promise<void> {
    if (!command.stdin.canReplay) return this.#giveUp(command, because);
    sayLocal(command, reason, because);
    // Others do not wait for what waits for a person, or for them.
    const needsSlot = reason !== 'terminal' && reason !== 'lock';
    await this.#local(command, { reason, isFallback, needsSlot });
  }

  /** Neither here nor elsewhere can it run any more: it has consumed its stdin. */
  async #giveUp({ caller, running }: Command, because: string): Promise<void> {
    await caller.write(
      'stderr',
      Buffer.from(`termite: ${showLine(because)}; its input is used up, so it cannot run again\n`),
    );
    running.end({ where: 'remote', isCached: false, hasFailed: true });
    caller.exited({ kind: 'exit', code: 125 });
  }

  #cancelled({ caller, running, session }: Command): void {
    running.end();
    // A shell that outlived its build would take "cancelled" for our end and run the command itself.
    if (session.hasFinished) caller.exited({ kind: 'signal', signal: 15 });
    else caller.cancelled();
  }

  /** Something that should not happen; the build goes on where it can. */
  async #broke(command: Command, error: unknown): Promise<void> {
    const { caller, running, session } = command;
    if (!command.isCommitting) {
      const because = describeError(error);
      return this.#fallBack(command, { reason: 'internal-error', isFallback: true, because });
    }
    session.notice('commit', `cannot apply a result: ${describeError(error)}`);
    running.end({ where: 'remote', isCached: false, hasFailed: true });
    caller.abandon();
  }
}

/** Once per reason and build. */
function sayLocal({ session, line }: Command, reason: string, because: string): void {
  const shown = line.trim().split('\n', 1)[0]!.slice(0, 100);
  session.notice(`local:${reason}`, `running locally: ${because}: ${shown}`);
}
