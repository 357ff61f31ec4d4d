import { type Observation, ObservationFlag } from '../protocol/job.ts';

/** What changed outside the project: absolute paths whose entry did, and directories in which names came, went or became something else. */
export interface PathChanges {
  entries: Iterable<string>;
  relisted: Iterable<string>;
}

/** What changed between two revisions of one epoch. */
export class SystemDifference {
  readonly entries: ReadonlySet<string>;
  readonly relisted: ReadonlySet<string>;

  constructor({ entries, relisted }: PathChanges) {
    this.entries = new Set(entries);
    this.relisted = new Set(relisted);
  }

  /** Whether somebody who observed a path so may see another state there now. */
  touches({ path, flags }: Observation): boolean {
    return this.entries.has(path) || ((flags & ObservationFlag.listed) !== 0 && this.relisted.has(path));
  }

  /** All paths that `touches` may be true of. */
  *paths(): Generator<string> {
    yield* this.entries;
    for (const path of this.relisted) if (!this.entries.has(path)) yield path;
  }
}

/** More than this is not to be remembered. */
const maxPaths = 20_000;

/**
 * Counts what happens to the machine outside the project. The *revision* counts up with each change that was noticed. An
 * *epoch* is a run of revisions of which it is known which paths changed; when that is not known, a new epoch begins.
 */
export class SystemChanges {
  #epoch = 1;
  #revision = 0;
  /** The first revision of this epoch. */
  #epochBegan = 0;
  /** Path → revision of its latest change in this epoch. */
  readonly #entries = new Map<string, number>();
  readonly #relisted = new Map<string, number>();

  get epoch(): number {
    return this.#epoch;
  }

  get revision(): number {
    return this.#revision;
  }

  add({ entries, relisted }: PathChanges): void {
    this.#revision += 1;
    for (const path of entries) this.#entries.set(path, this.#revision);
    for (const path of relisted) this.#relisted.set(path, this.#revision);
  }

  /** Whether it is better to begin a new epoch. */
  get isFull(): boolean {
    return this.#entries.size > maxPaths;
  }

  endEpoch(): void {
    this.#epoch += 1;
    this.#revision += 1;
    this.#epochBegan = this.#revision;
    this.#entries.clear();
    this.#relisted.clear();
  }

  /** undefined when `revision` is one of an earlier epoch: anything may have changed. */
  since(revision: number): SystemDifference | undefined {
    if (revision < this.#epochBegan) return undefined;
    if (revision >= this.#revision) return none;
    const later = (changes: ReadonlyMap<string, number>) =>
      [...changes].filter(([, changedIn]) => changedIn > revision).map(([path]) => path);
    return new SystemDifference({ entries: later(this.#entries), relisted: later(this.#relisted) });
  }
}

const none = new SystemDifference({ entries: [], relisted: [] });
