import { digestOf } from '../../cas/digest.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import type { Caller, LocalRun } from '../../master/caller.ts';
import { Dispatcher } from '../../master/dispatcher.ts';
import { ExecutorPool } from '../../master/executor-pool.ts';
import { type LocalRuleSet, parseLocalRules } from '../../master/local-rules.ts';
import { LocalSlots } from '../../master/local-slots.ts';
import { Session } from '../../master/session.ts';
import { StdinRoutes } from '../../master/stdin-routes.ts';
import type { Check, ControlReply } from '../../protocol/control.ts';
import type { Job, JobResult, Manifest } from '../../protocol/job.ts';
import type { RunRequest } from '../../protocol/run-request.ts';
import { type Failure, fail, succeed } from '../../runtime/failure.ts';
import { fakeVerifier } from './fake-verifier.ts';
import { FakeWorkspace, someDigest } from './fake-workspace.ts';

/** What an executor of the rig does with a job. */
export type Behaviour = (job: Job, signal: AbortSignal) => Promise<JobResult>;

/** A caller that writes down what it is told: `stdout:…`, `committing`, `exit 0`, … */
export class FakeCaller implements Caller {
  readonly told: string[] = [];
  readonly gone = new AbortController();
  readonly chunkSizes: number[] = [];
  stdin: (string | Buffer)[] = [];
  onWrite: () => Promise<void> = async () => {};

  get signal() {
    return this.gone.signal;
  }
  runLocally({ isRecursive, holdsSlot, hasEmptyStdin, envEdits }: LocalRun) {
    const how = [
      isRecursive ? ' with recursion' : '',
      holdsSlot ? ' with a slot' : '',
      hasEmptyStdin ? ' without stdin' : '',
      envEdits.length > 0 ? ` with ${envEdits.join(' ')}` : '',
    ];
    this.told.push(`local${how.join('')}`);
  }
  committing() {
    this.told.push('committing');
  }
  async write(stream: 'stdout' | 'stderr', chunk: Uint8Array) {
    this.chunkSizes.push(chunk.length);
    await this.onWrite();
    this.told.push(`${stream}:${Buffer.from(chunk.subarray(0, 100)).toString()}`);
  }
  exited(status: { kind: 'exit'; code: number } | { kind: 'signal'; signal: number }) {
    this.told.push(status.kind === 'exit' ? `exit ${status.code}` : `signal ${status.signal}`);
  }
  cancelled() {
    this.told.push('cancelled');
  }
  abandon() {
    this.told.push('abandoned');
  }
  async readStdin(maxBytes: number) {
    const next = Buffer.from(this.stdin.shift() ?? '');
    if (next.length > maxBytes) this.stdin.unshift(next.subarray(maxBytes));
    return next.subarray(0, maxBytes);
  }
}

/** A dispatcher between fakes: executors are functions, the project is not there at all. */
export class DispatcherRig {
  readonly workspace = new FakeWorkspace();
  nowMs = 0;
  readonly pool = new ExecutorPool({ nowMs: () => this.nowMs });
  readonly store = new MemoryBlobStore();
  readonly stdinRoutes = new StdinRoutes();
  /** Of processes that hold a local slot: gives it back. */
  readonly endProcess = new Map<number, () => void>();
  readonly localSlots = new LocalSlots({
    slotCount: 1,
    openWatch: async () => ({
      processEnded: (pid) => new Promise((resolve) => this.endProcess.set(pid, resolve)),
      [Symbol.asyncDispose]: async () => {},
    }),
  });
  readonly jobs: { executor: string; job: Job }[] = [];
  readonly replies: ControlReply[] = [];
  rules: () => LocalRuleSet = () => ({ rules: [], privatePlaces: [], notices: [] });
  readonly session: Session;
  readonly dispatcher = new Dispatcher({
    workspace: this.workspace,
    pool: this.pool,
    rules: { current: () => this.rules() },
    store: this.store,
    verifier: fakeVerifier(),
    stateDir: '/state/termite',
    stdinRoutes: this.stdinRoutes,
    localSlots: this.localSlots,
    origin: { id: 'origin', url: 'http://origin' },
    ownShell: '/opt/termite/sh',
  });

  /** @param check what the build wants to be checked */
  constructor(check?: Check) {
    const clock = { nowMs: () => this.nowMs };
    this.session = new Session('s', { clock, send: (reply) => this.replies.push(reply), check });
  }

  /** @param content where its outputs are; the rig's own store unless told */
  addExecutor(
    name: string,
    behaviour: Behaviour,
    { slotCount = 1, content = this.store as Pick<MemoryBlobStore, 'read' | 'getMany'> } = {},
  ) {
    this.pool.add({
      name,
      slotCount,
      content,
      executor: {
        execute: async (job, { signal }) => {
          this.jobs.push({ executor: name, job });
          return await behaviour(job, signal);
        },
      },
    });
  }

  /** What a command that ran to its end leaves. */
  async manifest({
    stdout = '',
    stderr = '',
    ...rest
  }: Partial<Omit<Manifest, 'stdout' | 'stderr'>> & {
    stdout?: string;
    stderr?: string;
  } = {}): Promise<Manifest> {
    return {
      status: { kind: 'exit', code: 0 },
      stdout: await this.blob(stdout),
      stderr: await this.blob(stderr),
      ...{ changes: [], reached: [], hiddenTrace: [], trace: [], startedNs: 0n, finishedNs: 1n },
      resources: { userUs: 0, systemUs: 0, maxRssKib: 0 },
      ...rest,
    };
  }

  async blob(text: string) {
    const digest = digestOf(Buffer.from(text));
    await this.store.put(digest, Buffer.from(text));
    return digest;
  }

  /** What `.termite-localrc` says from now on. */
  setRules(...entries: object[]): void {
    const ruleSet = parseLocalRules(JSON.stringify(entries), 'rules');
    this.rules = () => ruleSet;
  }

  async dispatch(request: RunRequest, caller = new FakeCaller()): Promise<FakeCaller> {
    await this.dispatcher.dispatch(request, caller, this.session);
    return caller;
  }

  notices(): string[] {
    return this.replies.flatMap((reply) => (reply.op === 'notice' ? [reply.message] : []));
  }
}

export const failing =
  (...failures: Failure[]): Behaviour =>
  async () =>
    fail(failures.length > 1 ? failures.shift()! : failures[0]!);

/** Runs until aborted. */
export const hanging: Behaviour = (_job, signal) =>
  new Promise((resolve) => {
    const end = () => resolve(fail({ reason: 'cancelled' }));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });

export const succeeding =
  (manifest: Promise<Manifest> | Manifest): Behaviour =>
  async () =>
    succeed(await manifest);

export { someDigest };
