import type { BlobStore } from '../cas/blob-store.ts';
import type { Executor } from '../executor/executor.ts';
import type { JobResult } from '../protocol/job.ts';
import type { Clock } from '../runtime/clock.ts';
import { fail, type Result, succeed } from '../runtime/failure.ts';

/** An executor that jobs can be given to. */
export interface PoolMember {
  readonly name: string;
  readonly slotCount: number;
  readonly executor: Executor;
  /** Where the outputs of its jobs are to be had. */
  readonly content: Pick<BlobStore, 'read' | 'getMany'>;
}

/** Slots of one executor, for one job. */
export interface Lease {
  readonly member: PoolMember;
  /** Tells how the job went, so that an executor in trouble is left alone for a while. */
  note(result: JobResult): void;
  /** Gives the slots back; idempotent. */
  release(): void;
}

interface Entry {
  member: PoolMember;
  running: number;
  /** Failures of its own since the last job that went well. */
  failures: number;
  /** Not to be used before. Milliseconds since the epoch. */
  restUntilMs: number;
  restMs: number;
}

interface Waiter {
  avoid: ReadonlySet<string>;
  slotCount: number;
  settle(result: Result<Lease>): void;
}

const firstRestMs = 5_000;
const longestRestMs = 60_000;
/** A sandbox that fails may be the fault of the one job that wanted it; this many in a row are the executor's. */
const toleratedSandboxFailures = 3;

/**
 * The executors there are, and their slots. Who wants a slot waits in line, first come, first served; the executor with
 * the smallest share of its slots taken is preferred. One that fails rests for 5 s, twice as long each time up to 60 s.
 */
export class ExecutorPool {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #waiters: Waiter[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get slotCount(): number {
    return this.members().reduce((sum, { slots }) => sum + slots, 0);
  }

  members(): { name: string; slots: number; running: number }[] {
    return [...this.#entries.values()].map(({ member, running }) => ({
      name: member.name,
      slots: member.slotCount,
      running,
    }));
  }

  /** Adds an executor; one of the same name is replaced and keeps its history. */
  add(member: PoolMember): void {
    const known = this.#entries.get(member.name);
    if (known) known.member = member;
    else this.#entries.set(member.name, { member, running: 0, failures: 0, restUntilMs: 0, restMs: 0 });
    this.#serve();
  }

  /** Jobs that it still runs keep their lease, and fail or finish by themselves. */
  remove(name: string): void {
    this.#entries.delete(name);
    this.#serve();
  }

  /**
   * Waits for slots. Failures: `no-executor` as soon as there is no executor to wait for, `cancelled` when aborted.
   *
   * @param avoid names of executors that are taken only when there is no other
   * @param slotCount how many of one executor; all of it when it has fewer
   */
  acquire({
    signal,
    avoid,
    slotCount = 1,
  }: {
    signal: AbortSignal;
    avoid: ReadonlySet<string>;
    slotCount?: number;
  }): Promise<Result<Lease>> {
    if (signal.aborted) return Promise.resolve(fail({ reason: 'cancelled' }));
    return new Promise((resolve) => {
      const onAbort = () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        waiter.settle(fail({ reason: 'cancelled' }));
      };
      const waiter: Waiter = {
        avoid,
        slotCount,
        settle: (result) => {
          signal.removeEventListener('abort', onAbort);
          resolve(result);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
      this.#serve();
    });
  }

  /** Gives slots to those who wait, in order. Who comes later never overtakes. */
  #serve(): void {
    while (this.#waiters.length > 0) {
      const waiter = this.#waiters[0]!;
      const entry = this.#choose(waiter);
      if (entry === 'busy') return;
      this.#waiters.shift();
      waiter.settle(
        entry === undefined
          ? fail({ reason: 'no-executor' })
          : succeed(this.#lease(entry, slotsOf(entry, waiter.slotCount))),
      );
    }
  }

  /** The best executor with that many free slots; `busy` when it is worth waiting, undefined when not. */
  #choose({ avoid, slotCount }: Waiter): Entry | 'busy' | undefined {
    const nowMs = this.#clock.nowMs();
    const awake = [...this.#entries.values()].filter(
      ({ member, restUntilMs }) => member.slotCount > 0 && restUntilMs <= nowMs,
    );
    if (awake.length === 0) return undefined;
    const others = awake.filter(({ member }) => !avoid.has(member.name));
    const candidates = others.length > 0 ? others : awake;
    const load = ({ member, running }: Entry) => running / member.slotCount;
    const free = candidates.filter(
      (entry) => entry.running + slotsOf(entry, slotCount) <= entry.member.slotCount,
    );
    if (free.length === 0) return 'busy';
    return free.reduce((a, b) => (load(b) < load(a) ? b : a));
  }

  #lease(entry: Entry, slotCount: number): Lease {
    const { member } = entry;
    entry.running += slotCount;
    let isHeld = true;
    return {
      member,
      note: (result) => this.#note(entry, result),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        entry.running -= slotCount;
        this.#serve();
      },
    };
  }

  #note(entry: Entry, result: JobResult): void {
    const reason = result.ok ? undefined : result.failure.reason;
    if (reason === 'sandbox' || reason === 'executor-lost' || reason === 'disk-full') {
      entry.failures += 1;
      if (reason === 'sandbox' && entry.failures < toleratedSandboxFailures) return;
      entry.restMs = Math.min(Math.max(entry.restMs * 2, firstRestMs), longestRestMs);
      entry.restUntilMs = this.#clock.nowMs() + entry.restMs;
      this.#serve();
    } else if (reason !== 'cancelled') {
      entry.failures = 0;
      entry.restMs = 0;
      entry.restUntilMs = 0;
    }
  }
}

function slotsOf({ member }: Entry, wanted: number): number {
  return Math.min(wanted, member.slotCount);
}
