import type { CommandRecord } from '../protocol/build-log.ts';
import type { Check, ControlReply, Report } from '../protocol/control.ts';
import type { Clock } from '../runtime/clock.ts';
import type { CompilationDatabase } from './compilation-database.ts';

/** How a command was done with. */
export type Outcome =
  | { where: 'remote'; isCached: boolean; hasFailed: boolean }
  /** `ruleReason`: in the words of the user whose rule keeps it here. */
  | { where: 'local'; reason: string; isFallback: boolean; ruleReason?: string | undefined };

/** One command of a session while it is under way. */
export interface RunningCommand {
  /** Aborted when the session ends. */
  readonly signal: AbortSignal;
  /** Whoever waits for it is gone. */
  abort(): void;
  /** A result could not be applied because its paths were changed meanwhile. */
  conflicted(): void;
  /** Its result was compared with that of another run. */
  verified(isSame: boolean): void;
  /** For whoever asks later where it ran, and why; may be called after its end. */
  note(details: Partial<CommandRecord>): void;
  /** Counts it. Without an outcome (cancelled) it is not counted. */
  end(outcome?: Outcome): void;
}

type Send = (reply: Extract<ControlReply, { op: 'progress' | 'notice' | 'failed' }>) => void;

export interface SessionOptions {
  clock: Clock;
  send: Send;
  check?: Check | undefined;
  compileCommands?: CompilationDatabase | undefined;
  /** `K=V`: what whoever opened it has. */
  environment?: readonly string[] | undefined;
  /** Of so many commands, the first ones, it can be told what became of them; 100,000 unless told. */
  maxRecords?: number;
}

const maxNotices = 1_000;
const progressIntervalMs = 100;
const maxLineLength = 4_000;

/**
 * One build: what `termite make` opens and closes. Counts what becomes of its commands and tells its owner.
 *
 *     open ──finish()──► finished ──close()──► closed      closing an open one means that its owner has died
 */
export class Session {
  readonly id: string;
  /** What of its commands is to be checked by running them once more. */
  readonly check: Check | undefined;
  /** Is told of each command. */
  readonly compileCommands: CompilationDatabase | undefined;
  /** What it was begun with; undefined when that is not known. */
  readonly #environment: ReadonlySet<string> | undefined;
  /** Set once the build itself is over: nobody waits for what still runs. */
  hasFinished = false;
  /** By its user, or by the death of whoever opened it. */
  isBrokenOff = true;
  readonly #clock: Clock;
  readonly #send: Send;
  readonly #startedMs: number;
  readonly #running = new Map<AbortController, string>();
  readonly #counts = {
    commands: 0,
    cached: 0,
    remote: 0,
    local: 0,
    fallbacks: 0,
    conflicts: 0,
    failed: 0,
    verified: 0,
    mismatched: 0,
  };
  readonly #localByReason = new Map<string, number>();
  readonly #localByRule = new Map<string, number>();
  readonly #noticed = new Set<string>();
  readonly #records: CommandRecord[] = [];
  readonly #maxRecords: number;
  #begunCount = 0;
  #idle: (() => void)[] = [];
  #progressTimer: NodeJS.Timeout | undefined;
  #latest = '';

  constructor(id: string, options: SessionOptions) {
    const { clock, send, check, compileCommands, environment, maxRecords = 100_000 } = options;
    this.#maxRecords = maxRecords;
    this.id = id;
    this.check = check;
    this.compileCommands = compileCommands;
    this.#environment = environment && new Set(environment);
    this.#clock = clock;
    this.#send = send;
    this.#startedMs = clock.nowMs();
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Whether the build itself was given a variable (`K=V`), as far as is known; else make or a command line has set it. */
  inherited(entry: string): boolean {
    return this.#environment?.has(entry) ?? true;
  }

  /** Its commands, in the order of their beginning. */
  get records(): readonly CommandRecord[] {
    return this.#records;
  }

  /** @param line all of it, as `commandLine` gives it; only its beginning is kept */
  begin(line: string, cwd = ''): RunningCommand {
    const startedMs = this.#clock.nowMs();
    this.compileCommands?.note(line, cwd);
    const record: CommandRecord = {
      ...{ number: ++this.#begunCount, line: line.slice(0, maxLineLength), cwd, where: 'running' },
      ...{ wallMs: 0, outputs: [], differences: [] },
    };
    if (this.#records.length < this.#maxRecords) this.#records.push(record);
    const controller = new AbortController();
    this.#running.set(controller, line);
    this.#latest = line.trimStart().split('\n', 1)[0]!.slice(0, 200);
    this.#scheduleProgress();
    return {
      signal: controller.signal,
      abort: () => controller.abort(),
      conflicted: () => {
        this.#counts.conflicts += 1;
      },
      verified: (isSame) => {
        this.#counts.verified += 1;
        if (!isSame) this.#counts.mismatched += 1;
        record.verdict = isSame ? 'same' : 'different';
      },
      note: (details) => void Object.assign(record, details),
      end: (outcome) => {
        if (!this.#running.delete(controller)) return;
        Object.assign(record, describeOutcome(outcome), { wallMs: this.#clock.nowMs() - startedMs });
        if (outcome) this.#count(outcome);
        this.#scheduleProgress();
        if (this.#running.size > 0) return;
        for (const wake of this.#idle) wake();
        this.#idle = [];
      },
    };
  }

  /** Tells the owner something once per kind. */
  notice(kind: string, message: string): void {
    if (this.#noticed.has(kind) || this.#noticed.size >= maxNotices) return;
    this.#noticed.add(kind);
    this.#send({ op: 'notice', message });
  }

  /** Tells the owner once what makes the build's result void: it has to exit 125. */
  fail(message: string): void {
    if (this.#noticed.has('failed')) return;
    this.#noticed.add('failed');
    this.#send({ op: 'failed', message });
  }

  report(): Report {
    return {
      ...this.#counts,
      localByReason: Object.fromEntries(this.#localByReason),
      localByRule: Object.fromEntries(this.#localByRule),
      wallMs: Math.max(0, this.#clock.nowMs() - this.#startedMs),
    };
  }

  /** The build is over: ends what nobody waits for any more and resolves when nothing runs. */
  finish({ isBrokenOff }: { isBrokenOff: boolean }): Promise<void> {
    this.hasFinished = true;
    this.isBrokenOff = isBrokenOff;
    return this.#abortAll();
  }

  /** Ends everything that still runs and resolves when nothing does. */
  close(): Promise<void> {
    clearTimeout(this.#progressTimer);
    this.#progressTimer = undefined;
    return this.#abortAll();
  }

  #abortAll(): Promise<void> {
    for (const controller of this.#running.keys()) controller.abort();
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((wake) => this.#idle.push(wake));
  }

  #count(outcome: Outcome): void {
    const counts = this.#counts;
    counts.commands += 1;
    if (outcome.where === 'local') {
      counts.local += 1;
      countOne(this.#localByReason, outcome.reason);
      if (outcome.ruleReason !== undefined) countOne(this.#localByRule, outcome.ruleReason);
      if (outcome.isFallback) counts.fallbacks += 1;
      return;
    }
    if (outcome.isCached) counts.cached += 1;
    else counts.remote += 1;
    if (outcome.hasFailed) counts.failed += 1;
  }

  /** At most ten a second: for eyes only. */
  #scheduleProgress(): void {
    this.#progressTimer ??= setTimeout(() => {
      this.#progressTimer = undefined;
      const { size } = this.#running;
      this.#send({ op: 'progress', running: size, done: this.#counts.commands, latest: this.#latest });
    }, progressIntervalMs);
  }
}

function countOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function describeOutcome(outcome: Outcome | undefined): Partial<CommandRecord> {
  if (!outcome) return { where: 'cancelled' };
  if (outcome.where === 'local') return { where: 'local', reason: outcome.reason };
  return { where: outcome.isCached ? 'cache' : 'remote', hasFailed: outcome.hasFailed };
}
