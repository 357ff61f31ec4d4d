import { statfsSync } from 'node:fs';
import type { BlobStore } from '../cas/blob-store.ts';
import { formatDigest } from '../cas/digest.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { smallFileBytes } from '../cas/small-file.ts';
import type { Digest } from '../protocol/digest.ts';
import type { Change, Manifest } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { type Failure, fail, type Result, succeed } from '../runtime/failure.ts';
import { type ApplyOptions, applyPlan, type HeldContent } from './apply.ts';
import { type ApplyPlan, parentPath, planApply } from './apply-plan.ts';
import { fetchContent } from './fetch-content.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { PathLocks } from './path-locks.ts';
import type { ProjectBlobs } from './project-blobs.ts';
import type { Snapshot } from './snapshot.ts';
import type { FileNode } from './tree-node.ts';

export interface CommitterOptions {
  projectRoot: string;
  snapshot: Snapshot;
  store: FileBlobStore;
  blobs: ProjectBlobs;
  journal: Journal;
  /** Brings the snapshot up to date with the disk. */
  refresh: () => Promise<unknown>;
  /** Remembers the digests of files just written. */
  remember: (files: readonly FileNode[]) => void;
  /** See `ApplyOptions`. */
  isFineGrained: boolean;
  log: ApplyOptions['log'];
  bootId: string;
  onNotice: (message: string) => void;
  afterStep?: ((step: string) => void) | undefined;
}

export interface CommitOptions {
  content: Pick<BlobStore, 'read' | 'getMany'>;
  onCommitting: () => void;
  signal: AbortSignal;
  /** See `findConflict`. */
  isExclusive?: boolean | undefined;
  /** The path of something that is no longer as the command saw it, where that matters: a conflict. Must not await anything. */
  findStale?: (() => string | undefined) | undefined;
}

/** Bytes kept free on the project's file system, for directories and the like. */
const reserveBytes = 4 * 1024 * 1024;
const maxFetches = 3;
/** The lock of those that look at more than they change: they take turns. */
const turn: Change = { path: '', base: null, node: null };
/** Content of one commit that may be in memory. */
const maxHeldBytes = 8 * 1024 * 1024;

/**
 * Turns manifests into files, as `Workspace.commit` says:
 *
 *     fetch content ─► wait for overlapping commits ─► refresh ─► plan ─► onCommitting ─► journal ─► apply ─► end journal
 *                                                        ▲          │
 *                                                        └─ content ┘  (a file turned out to need writing after all)
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #locks = new PathLocks();

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  async commit(manifest: Manifest, options: CommitOptions): Promise<Result<void>> {
    const { changes, startedNs, finishedNs } = manifest;
    if (changes.length === 0) {
      options.onCommitting();
      return succeed(undefined);
    }
    const { snapshot, refresh } = this.#options;
    const held: HeldContent = new Map();
    try {
      const unfetched = await this.#fetch(differingContent(changes, snapshot), held, options);
      if (unfetched) return fail(unfetched);
      using _lock = await this.#locks.acquire(options.findStale ? [...changes, turn] : changes);
      for (let fetches = 0; ; fetches++) {
        await refresh();
        if (options.signal.aborted) return fail({ reason: 'cancelled' });
        const { isExclusive, findStale } = options;
        const stale = findStale?.();
        if (stale !== undefined) return fail({ reason: 'conflict', path: stale });
        const planned = planApply({ changes, startedNs, finishedNs, snapshot, isExclusive });
        if (!planned.ok) return planned;
        const notHeld = contentOf(planned.value).filter(({ hash }) => !held.has(hash));
        const missing = await this.#options.store.findMissing(notHeld);
        if (missing.length === 0) {
          // Nothing may be awaited between the plan and its first step but the check above, which is of no files of the
          // project: `findMissing` of a local store does not let the event loop turn.
          return await this.#apply(planned.value, held, manifest, options);
        }
        const failure = await this.#fetch(missing, held, options);
        if (failure) return fail(failure);
        if (fetches === maxFetches)
          return fail({ reason: 'content-missing', digest: formatDigest(missing[0]!) });
      }
    } catch (error) {
      if (options.signal.aborted && isAbort(error)) return fail({ reason: 'cancelled' });
      if (error instanceof AppError && error.code === 'disk-full') return fail(noSpace);
      throw error;
    }
  }

  async #apply(
    plan: ApplyPlan,
    held: HeldContent,
    manifest: Manifest,
    { onCommitting }: CommitOptions,
  ): Promise<Result<void>> {
    const { journal, projectRoot } = this.#options;
    if (plan.sizeBytes > 0) {
      const { bavail, bsize } = statfsSync(fsPath(projectRoot));
      if (bavail * bsize < plan.sizeBytes + reserveBytes) return fail(noSpace);
    }
    const id = journal.newId();
    const opened = this.#toOpen(plan);
    const entry = journal.prepare(this.#entry(id, plan, opened, manifest));
    try {
      onCommitting();
    } catch (error) {
      entry.discard();
      throw error;
    }
    // Not before the caller knows: until then it runs the command itself when this process is killed.
    entry.begin();
    try {
      this.#options.afterStep?.('begin');
      this.#options.remember(await applyPlan(plan, { ...this.#options, id, opened, held }));
    } catch (cause) {
      throw new AppError('Cannot apply the result of a command: some of its outputs are in place', {
        code: 'apply-failed',
        hint: 'Run make again',
        cause,
      });
    } finally {
      // Also after a failure: this process tells of it, nobody must act on the entry later.
      entry.end();
    }
    return succeed(undefined);
  }

  #entry(id: string, plan: ApplyPlan, opened: JournalEntry['opened'], manifest: Manifest): JournalEntry {
    const { snapshot } = this.#options;
    return {
      version: 1,
      id,
      boot: this.#options.bootId,
      startedNs: manifest.startedNs,
      finishedNs: manifest.finishedNs,
      changes: manifest.changes,
      removals: plan.removals,
      inPlace: plan.entries.flatMap((step) => {
        const present =
          step.kind === 'file' && step.write === 'in-place' ? snapshot.lookup(step.path) : undefined;
        return present?.type === 'file' ? [{ path: step.path, inode: present.inode }] : [];
      }),
      opened,
    };
  }

  /** Directories in which something is to be changed although their own mode forbids it. */
  #toOpen({ removals, directories, entries }: ApplyPlan): { path: string; mode: number }[] {
    const parents = new Set(
      [...removals, ...entries].map(({ path }) => parentPath(path)).concat(directories.map(parentPath)),
    );
    const opened: { path: string; mode: number }[] = [];
    for (const path of parents) {
      const node = this.#options.snapshot.lookup(path);
      if (node?.type === 'directory' && (node.mode & 0o300) !== 0o300) opened.push({ path, mode: node.mode });
    }
    return opened;
  }

  /** Sees to it that all content is here and good. What is small is held on to, so that it is read only once. */
  async #fetch(
    digests: readonly Digest[],
    held: HeldContent,
    options: CommitOptions,
  ): Promise<Failure | undefined> {
    const { store, blobs } = this.#options;
    const missing: Digest[] = [];
    let heldBytes = 0;
    for (const digest of digests) {
      // Hashed, not only found: from `onCommitting` on there is no way back when a blob has gone bad.
      const isSmall = digest.sizeBytes <= smallFileBytes && heldBytes + digest.sizeBytes <= maxHeldBytes;
      const content = isSmall ? await getIfGood(store, digest) : undefined;
      if (content) {
        held.set(digest.hash, content);
        heldBytes += digest.sizeBytes;
      } else if (isSmall || !(await store.verify(digest, options))) {
        // A file that was only moved: nobody else needs to have its content.
        if (!(await blobs.ensureStored(digest))) missing.push(digest);
      }
    }
    if (missing.length === 0) return undefined;
    const unavailable = await fetchContent(missing, {
      from: options.content,
      into: store,
      signal: options.signal,
    });
    return unavailable && { reason: 'content-missing', digest: formatDigest(unavailable) };
  }
}

const noSpace: Failure = { reason: 'disk-full', executor: 'master' };

/** The content of files that do not stand there with it already. */
function differingContent(changes: readonly Change[], snapshot: Snapshot): Digest[] {
  return changes.flatMap(({ path, node }) => {
    if (node?.type !== 'file') return [];
    const present = snapshot.lookup(path);
    const isThere = present?.type === 'file' && present.digest?.hash === node.digest.hash;
    return isThere ? [] : [node.digest];
  });
}

function contentOf({ entries }: ApplyPlan): Digest[] {
  return entries.flatMap((step) => (step.kind === 'file' && step.write !== 'keep' ? [step.node.digest] : []));
}

/** undefined also for a blob that was bad, and is gone. */
async function getIfGood(store: FileBlobStore, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await store.get(digest);
  } catch (error) {
    if (error instanceof AppError && error.code === 'digest-mismatch') return undefined;
    throw error;
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}
