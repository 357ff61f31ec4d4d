import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Job } from '../protocol/job.ts';
import { type Result, succeed } from '../runtime/failure.ts';
import type { Box } from './box-client.ts';
import type { Content } from './content.ts';
import { type Origin, originKey } from './origin.ts';
import { SystemMirror } from './system-mirror.ts';

export interface SystemMirrorsOptions {
  /** Absolute path of an existing directory of our own. */
  dir: string;
  /** How long an unused mirror is kept; 60,000 unless told. */
  idleMs?: number;
  /** How many unused ones are kept; 16 unless told. Each has a process of its own. */
  maxIdle?: number;
}

/** A mirror in use; dispose of it when the job is over. */
export interface MirrorLease extends Disposable {
  readonly mirror: SystemMirror;
}

interface Entry {
  readonly origin: string;
  readonly epoch: number;
  readonly mirror: SystemMirror;
  userCount: number;
  idleTimer?: NodeJS.Timeout;
}

/**
 * The system mirrors of this executor: made on demand, shared by the jobs of one (origin, epoch) as long as what they looked at
 * has not changed, and unmounted when nobody uses them and there is a later one, or after a while.
 */
export class SystemMirrors implements AsyncDisposable {
  readonly #dir: string;
  readonly #idleMs: number;
  readonly #maxIdle: number;
  readonly #entries = new Set<Entry>();
  readonly #closing = new Set<Promise<void>>();
  #count = 0;

  constructor({ dir, idleMs = 60_000, maxIdle = 16 }: SystemMirrorsOptions) {
    this.#dir = dir;
    this.#maxIdle = maxIdle;
    this.#idleMs = idleMs;
  }

  get mirrors(): SystemMirror[] {
    return [...this.#entries].map(({ mirror }) => mirror);
  }

  /** A mounted mirror in that box. Failure `sandbox` when it cannot be mounted. */
  async acquire(
    box: Box,
    origin: Job['origin'],
    source: { origin: Origin; content: Content },
  ): Promise<Result<MirrorLease>> {
    const entry = this.#find(box, origin) ?? this.#open(box, origin, source);
    clearTimeout(entry.idleTimer);
    entry.userCount += 1;
    const mounted = await entry.mirror.mounted;
    if (!mounted.ok) {
      this.#release(entry);
      return mounted;
    }
    await entry.mirror.amend(origin.revision);
    if (entry.mirror.isStale && !entry.mirror.isBroken) {
      this.#release(entry);
      return this.acquire(box, origin, source);
    }
    let isTaken = true;
    return succeed({
      mirror: entry.mirror,
      [Symbol.dispose]: () => {
        if (isTaken) this.#release(entry);
        isTaken = false;
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const entry of this.#entries) this.#close(entry);
    await Promise.all(this.#closing);
  }

  #find(box: Box, origin: Job['origin']): Entry | undefined {
    for (const entry of this.#entries) {
      if (
        entry.origin === originKey(origin) &&
        entry.epoch === origin.epoch &&
        entry.mirror.box === box &&
        !entry.mirror.isBroken &&
        !entry.mirror.isStale
      ) {
        return entry;
      }
    }
    return undefined;
  }

  /** Synchronous up to its registration, so that the next job finds it. */
  #open(box: Box, of: Job['origin'], source: { origin: Origin; content: Content }): Entry {
    const { epoch, revision } = of;
    const mountDir = join(this.#dir, `system-${++this.#count}`);
    mkdirSync(mountDir);
    const entry: Entry = {
      origin: originKey(of),
      epoch,
      mirror: new SystemMirror({ box, mountDir, moment: { epoch, revision }, ...source }),
      userCount: 0,
    };
    this.#entries.add(entry);
    void entry.mirror.broken.then(() => {
      if (entry.userCount === 0) this.#close(entry);
    });
    for (const other of this.#entries) this.#closeIfSuperseded(other);
    return entry;
  }

  #release(entry: Entry): void {
    entry.userCount -= 1;
    if (entry.userCount > 0) return;
    if (entry.mirror.isBroken || entry.mirror.isStale) return this.#close(entry);
    this.#closeIfSuperseded(entry);
    if (!this.#entries.delete(entry)) return;
    // The last one to be used is the last one to go.
    this.#entries.add(entry);
    entry.idleTimer = setTimeout(() => this.#close(entry), this.#idleMs).unref();
    const idle = [...this.#entries].filter(({ userCount }) => userCount === 0);
    if (idle.length > this.#maxIdle) this.#close(idle[0]!);
  }

  #closeIfSuperseded(entry: Entry): void {
    const isSuperseded = [...this.#entries].some(
      ({ origin, epoch }) => origin === entry.origin && epoch > entry.epoch,
    );
    if (isSuperseded && entry.userCount === 0) this.#close(entry);
  }

  #close(entry: Entry): void {
    if (!this.#entries.delete(entry)) return;
    clearTimeout(entry.idleTimer);
    const closing = entry.mirror.close().then(() => {
      this.#closing.delete(closing);
      try {
        rmdirSync(entry.mirror.mountDir);
      } catch {
        // It goes with the directory that it is in.
      }
    });
    this.#closing.add(closing);
  }
}
