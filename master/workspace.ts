import type { Origin } from '../executor/origin.ts';
import type { Digest } from '../protocol/digest.ts';
import type { Manifest } from '../protocol/job.ts';
import type { Result } from '../runtime/failure.ts';
import type { CommitOptions } from './commit.ts';
import type { Inputs } from './inputs.ts';
import type { SystemChanges } from './system-changes.ts';

/** The state of the master's machine that one job is based on. */
export interface Basis {
  /** Digest of the project's root Directory. */
  root: Digest;
  /** Of the machine around it, see `SystemChanges`. */
  epoch: number;
  revision: number;
}

/**
 * The project and the machine around it, as the dispatcher sees them: what to base a job on, where executors get
 * content from, and how a result becomes files. Owns the snapshot, the watcher and the journal.
 */
export interface Workspace extends AsyncDisposable {
  /** Absolute path of the project, symlinks resolved. */
  readonly projectRoot: string;
  readonly origin: Origin;
  readonly inputs: Inputs;
  /** Number of files in the snapshot. */
  readonly fileCount: number;
  /** What happens to the machine around the project, as far as it was taken in. */
  readonly systemChanges: Pick<SystemChanges, 'epoch' | 'revision' | 'since'>;
  /** Takes in everything that changed on disk up to now, by whomever. @returns the revision of the machine around */
  refresh(): Promise<number>;
  /** The same, for a job to be based on: names the state by its root digest, which has to be computed. */
  snapshot(): Promise<Basis>;
  /**
   * To be called before a session: finds out what changed without an event, through a name outside of the project, a
   * mapping or somebody else's mount.
   *
   * @returns false when the project that was opened is no longer there, but another one or none
   */
  beginSession(): Promise<boolean>;
  /** Compares everything with the disk once more, also what no event tells of: writes through a mapping, for one. */
  recheck(): Promise<void>;
  /** To be called after a build: has what it made written to the disk, see `AppliedLog`. Never rejects. */
  settle(): Promise<void>;
  /**
   * Applies a manifest: fetches all its content first, then checks every path against its base (failure `conflict`),
   * calls `onCommitting`, and from there on finishes, journaled. Nothing is changed on any failure before that.
   */
  commit(manifest: Manifest, options: CommitOptions): Promise<Result<void>>;
}
