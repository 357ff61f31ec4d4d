import { lstatSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { StatCache } from '../cas/stat-cache.ts';
import { type Manifest, ObservationFlag } from '../protocol/job.ts';
import { AppError, describeError } from '../runtime/app-error.ts';
import { bootId } from '../runtime/boot-id.ts';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { identityOf } from '../runtime/circumstances.ts';
import type { Result } from '../runtime/failure.ts';
import { restoreUnsynced } from './after-power-loss.ts';
import { AppliedLog } from './applied-log.ts';
import { type CommitOptions, Committer } from './commit.ts';
import { FileHasher } from './file-hasher.ts';
import { hasFineGrainedTimes } from './fine-grained.ts';
import type { Inputs } from './inputs.ts';
import { Journal } from './journal.ts';
import { LocalOrigin, type ReadStdin } from './local-origin.ts';
import { changedMounts, type MountTable, readMountTable } from './mount-table.ts';
import { FormerTree, presentNode, presentState, presentTimeNs } from './path-state.ts';
import { Privacy } from './privacy.ts';
import { ProjectBlobs } from './project-blobs.ts';
import { recover } from './recover.ts';
import { Refresh } from './refresh.ts';
import { temporaryPrefix } from './reserved-names.ts';
import { SharedTask } from './shared-task.ts';
import { Snapshot } from './snapshot.ts';
import type { SystemChanges } from './system-changes.ts';
import { alwaysHidden, SystemLayer } from './system-layer.ts';
import { localFileSystems } from './system-listing.ts';
import { type FileNode, pathOf } from './tree-node.ts';
import { type Changes, Watcher } from './watcher.ts';
import type { Basis, Workspace } from './workspace.ts';

export interface WorkspaceOptions {
  /** Absolute; symlinks are resolved. */
  projectRoot: string;
  /** Where this project's journal is kept; made if need be. */
  stateDir: string;
  /** Absolute paths that executors must not see, besides the project and what is never mirrored. */
  hidden?: readonly string[];
  /** Folders that may be the caller's home; none unless told. */
  homes?: readonly string[];
  /** What the user keeps private besides, see `Privacy`: the same list as long as it stays the same. */
  privatePlaces?: () => readonly string[];
  /** Stay open until the workspace is closed; owned by the caller. */
  store: FileBlobStore;
  cache: StatCache;
  /** Path of termite-watch; the one built here unless told. */
  watchProgram?: string;
  readStdin: ReadStdin;
  onNotice: (message: string) => void;
  /** While many files are being hashed. */
  onProgress?: (hashedFiles: number, totalFiles: number) => void;
  /** For tests: that of the machine unless told. */
  bootId?: string;
  /** For tests: called after each change that a commit makes on disk. */
  afterStep?: (step: string) => void;
}

/**
 * Reads the project into memory, finishes what a killed master left unfinished, and watches.
 *
 * @throws AppError `cannot-start` for the watcher; a system error when the project cannot be read or watched
 */
export async function openWorkspace(options: WorkspaceOptions): Promise<Workspace> {
  const projectRoot = decodeBytes(realpathSync.native(fsPath(options.projectRoot), { encoding: 'buffer' }));
  const watcher = await Watcher.start(options.watchProgram);
  try {
    const workspace = new LocalWorkspace(projectRoot, watcher, options);
    await workspace.load();
    return workspace;
  } catch (error) {
    await watcher[Symbol.asyncDispose]();
    throw error;
  }
}

/** Who begins a session so soon after everything was compared with the disk does so no second time: scripts run command by command. */
const recentMs = 1_000;
const recentFactor = 20;

class LocalWorkspace implements Workspace {
  readonly projectRoot: string;
  readonly origin: LocalOrigin;
  readonly inputs: Inputs;
  readonly #options: WorkspaceOptions;
  #watcher: Watcher;
  readonly #excluded: readonly string[];
  readonly #snapshot: Snapshot;
  readonly #refresh: Refresh;
  readonly #hasher: FileHasher;
  readonly #blobs: ProjectBlobs;
  readonly #system: SystemLayer;
  readonly #refreshing = new SharedTask(() => this.#takeInChanges());
  #committer: Committer | undefined;
  #journal: Journal | undefined;
  #log: AppliedLog | undefined;
  /** Whether the snapshot was brought up to date in this turn of the event loop. */
  #isFresh = false;
  /** Whether everything that was ever drained has been taken in: false after a refresh that failed. */
  #isComplete = true;
  #privatePlaces: readonly string[] = [];
  #mustCompareAll = false;
  #mustCompareUnwatched = false;
  #mounts: MountTable = new Map();
  /** Files of the project, relative, that are mounted there: whoever writes to one does so in another folder. */
  #mountedFiles: readonly string[] = [];
  readonly #rootIdentity: string | undefined;
  /** When everything was compared with the disk last, and how long that took. */
  #compared = { endedMs: Number.NEGATIVE_INFINITY, tookMs: 0 };

  constructor(projectRoot: string, watcher: Watcher, options: WorkspaceOptions) {
    const { store, cache, readStdin, onNotice, onProgress } = options;
    this.projectRoot = projectRoot;
    this.#options = options;
    this.#watcher = watcher;
    this.#rootIdentity = identityOf(projectRoot);
    const hidden = [projectRoot, ...(options.hidden ?? []), options.stateDir, store.dir];
    this.#excluded = hidden.flatMap((path) => {
      const inProject = relativeTo(projectRoot, path);
      return inProject ? [inProject] : [];
    });
    this.#snapshot = new Snapshot({
      stats: lstatSync(fsPath(projectRoot), { bigint: true }),
      spill: (digest, bytes) => {
        store
          .put(digest, bytes)
          .catch((error) => onNotice(`A directory was not kept: ${describeError(error)}`));
      },
    });
    this.#hasher = new FileHasher(cache);
    this.#refresh = new Refresh({
      projectRoot,
      snapshot: this.#snapshot,
      hasher: this.#hasher,
      excluded: this.#excluded,
      onNotice,
      onProgress,
      findWriters: (paths) => this.#findWriters(paths),
    });
    this.#system = new SystemLayer({
      watcher: {
        watchDirectory: (path) => this.#watcher.watchDirectory(path),
        unwatchDirectory: (path) => this.#watcher.unwatchDirectory(path),
      },
      cache,
      hidden: [...alwaysHidden, ...hidden],
      privacy: new Privacy({ projectRoot, homes: options.homes ?? [] }),
    });
    this.#blobs = new ProjectBlobs({
      store,
      directoryBlob: (digest) => this.#snapshot.directoryBlob(digest),
      pathsOf: (digest) => {
        const file = this.#snapshot.fileWith(digest);
        const system = this.#system.pathWith(digest);
        return [
          ...(file ? [join(projectRoot, pathOf(file))] : []),
          ...(system === undefined ? [] : [system]),
        ];
      },
    });
    this.origin = new LocalOrigin({
      blobs: this.#blobs,
      storeDir: store.dir,
      system: this.#system,
      readStdin,
    });
    this.inputs = {
      state: (observation, view) => presentState(this.#snapshot, observation, view),
      timeNs: (path) => presentTimeNs(this.#snapshot, path),
      node: (path) => presentNode(this.#snapshot, path),
      hasOtherNames: (path) => {
        const node = this.#snapshot.lookup(path);
        return node?.type === 'file' && node.linkCount > 1;
      },
      otherNames: (path) => {
        const node = this.#snapshot.lookup(path);
        if (node?.type !== 'file') return [];
        return this.#snapshot
          .namesOf(node.inode)
          .filter((name) => name !== node)
          .map(pathOf);
      },
      isConcealed: ({ path, flags }) =>
        (flags & ObservationFlag.absent ? this.#snapshot.conceals(path) : false) ||
        (flags & ObservationFlag.listed ? this.#snapshot.concealsNamesIn(path) : false),
      former: (root) => new FormerTree(root, (digest) => this.#snapshot.directoryBlob(digest)),
      describeSystem: (observation) => this.#system.describe(observation),
    };
  }

  async load(): Promise<void> {
    const { projectRoot } = this;
    const { store, stateDir, onNotice, afterStep, bootId: boot = bootId() } = this.#options;
    this.#log = new AppliedLog({ path: join(stateDir, 'applied'), projectRoot, bootId: boot, onNotice });
    this.#journal = new Journal(join(stateDir, 'journal'));
    const isFineGrained = hasFineGrainedTimes(join(this.#probeDir(), `${temporaryPrefix}${process.pid}`));
    // Watched first, so that what changes while it is read shows at the next drain.
    await this.#watcher.watchTree(projectRoot, this.#excluded);
    this.#readMounts();
    await this.#compareAll();
    const shared = {
      projectRoot,
      snapshot: this.#snapshot,
      store,
      blobs: this.#blobs,
      journal: this.#journal,
      log: this.#log,
      bootId: boot,
      remember: (files: readonly FileNode[]) => this.#remember(files, isFineGrained),
      isFineGrained,
      onNotice,
      afterStep,
    };
    const restored = await restoreUnsynced(this.#log.unsynced, shared);
    await this.#refresh.changed(restored, new Set(restored));
    await this.#log.forgetUnsynced();
    await recover(shared);
    // Of masters that ended with their builds.
    void this.#log.settle();
    this.#committer = new Committer({ ...shared, refresh: () => this.#refreshUnlessFresh() });
    await this.#options.cache.flush();
  }

  get fileCount(): number {
    return this.#snapshot.fileCount;
  }

  get systemChanges(): SystemChanges {
    return this.#system.changes;
  }

  async refresh(): Promise<number> {
    await this.#refreshing.run();
    return this.#system.changes.revision;
  }

  async snapshot(): Promise<Basis> {
    await this.refresh();
    const { epoch, revision } = this.#system.changes;
    return { root: this.#snapshot.rootDigest(), epoch, revision };
  }

  async beginSession(): Promise<boolean> {
    if (identityOf(this.projectRoot) !== this.#rootIdentity) return false;
    this.#system.keepPrivate(this.#privatePlaces);
    const { endedMs, tookMs } = this.#compared;
    const isRecent = performance.now() - endedMs < Math.max(recentMs, tookMs * recentFactor);
    if (isRecent && this.#refresh.unwatched.length === 0) return true;
    this.#mustCompareAll ||= !isRecent;
    this.#mustCompareUnwatched = true;
    await this.#refreshing.run();
    return true;
  }

  async recheck(): Promise<void> {
    this.#mustCompareAll = true;
    await this.#refreshing.run();
    await this.#options.cache.flush();
  }

  async settle(): Promise<void> {
    await this.#log?.settle();
  }

  commit(manifest: Manifest, options: CommitOptions): Promise<Result<void>> {
    return this.#committer!.commit(manifest, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#refreshing.idle();
    await this.#watcher[Symbol.asyncDispose]();
    this.#journal?.[Symbol.dispose]();
    await this.#log?.[Symbol.asyncDispose]();
    await this.#options.cache.flush();
  }

  async #takeInChanges(): Promise<void> {
    const changes = await this.#drain();
    const isLost = changes.overflow || !this.#isComplete;
    // What was drained is known nowhere else until it has been taken in.
    this.#isComplete = false;
    const mustCompareUnwatched = this.#mustCompareUnwatched;
    const isRemounted = changes.mounts && (await this.#takeInMounts());
    const mustCompareAll = isLost || isRemounted || this.#mustCompareAll;
    this.#mustCompareAll = false;
    this.#mustCompareUnwatched = false;
    const { inside, outside } = this.#split(changes);
    inside.push(...this.#mountedFiles);
    if (isLost || outside.length > 0) await this.#system.absorb({ overflow: isLost, paths: outside });
    this.#takeInPrivatePlaces();
    if (mustCompareAll) this.#system.recheck();
    if (mustCompareAll) await this.#compareAll();
    else if (inside.length > 0) await this.#refresh.changed(inside, this.#writtenIn(changes));
    if (mustCompareUnwatched && !mustCompareAll) await this.#refresh.changedUnwatched();
    this.#isComplete = true;
    this.#isFresh = true;
    setImmediate(() => {
      this.#isFresh = false;
    });
  }

  /** Where the file that lists them is wrong no command is begun, and the former list stays. */
  #takeInPrivatePlaces(): void {
    const places = this.#options.privatePlaces?.() ?? this.#privatePlaces;
    if (places === this.#privatePlaces) return;
    this.#privatePlaces = places;
    this.#system.keepPrivate(places);
  }

  async #compareAll(): Promise<void> {
    const beganMs = performance.now();
    await this.#refresh.everything();
    const endedMs = performance.now();
    this.#compared = { endedMs, tookMs: endedMs - beganMs };
  }

  /** @returns whether something was mounted over part of the project, or unmounted from there: it is watched anew then */
  async #takeInMounts(): Promise<boolean> {
    const former = this.#mounts;
    this.#readMounts();
    const places = changedMounts(former, this.#mounts);
    const outside = places.filter((place) => relativeTo(this.projectRoot, place) === undefined);
    if (outside.length > 0) this.#system.remounted(outside);
    const isCovered = (place: string) =>
      relativeTo(this.projectRoot, place) !== undefined || relativeTo(place, this.projectRoot) !== undefined;
    if (!places.some(isCovered)) return false;
    await this.#watcher.watchTree(this.projectRoot, this.#excluded);
    return true;
  }

  #readMounts(): void {
    this.#mounts = readMountTable();
    this.#mountedFiles = [...this.#mounts.keys()].flatMap((place) => {
      const path = relativeTo(this.projectRoot, place);
      const isFile = path && !statSync(fsPath(place), { throwIfNoEntry: false })?.isDirectory();
      return isFile ? [path] : [];
    });
  }

  #writtenIn({ written }: Changes): ReadonlySet<string> {
    return new Set(written.flatMap((path) => relativeTo(this.projectRoot, path) ?? []));
  }

  /** Of file systems of other machines nobody here can tell. */
  async #findWriters(paths: readonly string[]): Promise<readonly string[]> {
    const { type } = statfsSync(fsPath(this.projectRoot));
    return localFileSystems.has(type) ? this.#watcher.findWriters(paths) : [];
  }

  /** For a commit: a hit comes straight from its look-up, whose refresh was an instant ago. */
  async #refreshUnlessFresh(): Promise<void> {
    if (!this.#isFresh) await this.#refreshing.run();
  }

  /** Paths in the project, relative, and all others. */
  #split(changes: Changes): { inside: string[]; outside: string[] } {
    const inside: string[] = [];
    const outside: string[] = [];
    for (const path of changes.paths) {
      const inProject = relativeTo(this.projectRoot, path);
      if (inProject === undefined) outside.push(path);
      else inside.push(inProject);
    }
    return { inside, outside };
  }

  /** On the file system of the project, but not in it if possible: probing sets the time of the directory. */
  #probeDir(): string {
    const { stateDir } = this.#options;
    const isSame = statSync(fsPath(stateDir)).dev === statSync(fsPath(this.projectRoot)).dev;
    return isSame ? stateDir : this.projectRoot;
  }

  /** A watcher that was killed is started again; what changed meanwhile is then unknown. */
  async #drain(): Promise<Changes> {
    try {
      return await this.#watcher.drain();
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'watcher-lost')) throw error;
      this.#options.onNotice(`${error.message}: it is started again`);
      this.#watcher = await Watcher.start(this.#options.watchProgram);
      await this.#watcher.watchTree(this.projectRoot, this.#excluded);
      this.#system.endEpoch();
      return { overflow: true, paths: [], written: [], mounts: true };
    }
  }

  #remember(files: readonly FileNode[], isFineGrained: boolean): void {
    if (!isFineGrained) return;
    for (const file of files) {
      if (file.parent) this.#hasher.remember(join(this.projectRoot, pathOf(file)), file);
    }
  }
}

/** "" for the root itself; undefined for what is not below it. */
function relativeTo(root: string, path: string): string | undefined {
  if (path === root) return '';
  return path.startsWith(root) && path[root.length] === '/' ? path.slice(root.length + 1) : undefined;
}
