import { equalDigests } from '../cas/digest.ts';
import type { Digest } from '../protocol/digest.ts';
import { isDuringRun } from '../protocol/during-run.ts';
import type { Change, TreeNode } from '../protocol/job.ts';
import { type Failure, fail, type Result, succeed } from '../runtime/failure.ts';
import { equalsPresent, findConflict } from './conflicts.ts';
import type { Snapshot } from './snapshot.ts';
import { type Node, pathOf } from './tree-node.ts';

type FileState = Extract<TreeNode, { type: 'file' }>;

/** `now`: the kernel's clock at that step; a number: set on purpose by the command; undefined: leave as it comes. */
export type StepTime = 'now' | bigint | undefined;

/** One entry to bring into place when its parent directory exists. */
export type EntryStep =
  /** `write`: the content, under a new name that is then renamed, or into the file that is there (`in-place`). */
  | { kind: 'file'; path: string; node: FileState; write: 'replace' | 'in-place' | 'keep'; time: StepTime }
  | { kind: 'link'; path: string; target: string; digest: Digest }
  | { kind: 'symlink'; path: string; target: string; time: StepTime }
  | { kind: 'fifo'; path: string; mode: number };

export interface DirectoryStep {
  path: string;
  mode: number | undefined;
  time: StepTime;
}

export interface Removal {
  path: string;
  isDirectory: boolean;
  /** Of files. */
  mtimeNs?: bigint;
}

/** What to do, in this order. */
export interface ApplyPlan {
  /** What to remove, each directory after what is in it. */
  removals: Removal[];
  /** Directories to make, parents first. */
  directories: string[];
  /** Files in the order in which the command wrote them, then links, symlinks and FIFOs. */
  entries: EntryStep[];
  /** Modes and times of directories, children before parents. */
  finals: DirectoryStep[];
  /** Bytes that will be written. */
  sizeBytes: number;
}

export interface PlanOptions {
  /** Sorted by path bytes. */
  changes: readonly Change[];
  /** On the clock that the times of `changes` are of. */
  startedNs: bigint;
  /** On the same clock; undefined: not known. */
  finishedNs: bigint | undefined;
  snapshot: Snapshot;
  /** See `findConflict`. */
  isExclusive?: boolean | undefined;
}

/**
 * What has to be done to bring the present tree to what a command left. Pure.
 *
 * @returns failure `conflict` when a path is neither as the command found it nor as it left it, or a directory to be
 * removed holds something that is not part of the mirrored tree
 * @throws AppError `unsafe-path` when a path leads through a symlink, or the changes contradict each other
 */
export function planApply(options: PlanOptions): Result<ApplyPlan, Failure> {
  const conflict = findConflict(options.changes, options.snapshot, options);
  return conflict === undefined
    ? succeed(new Planner(options).plan())
    : fail({ reason: 'conflict', path: conflict });
}

class Planner {
  readonly #options: PlanOptions;
  readonly #changeByPath: Map<string, Change>;
  readonly #entryParents: Set<string>;

  constructor(options: PlanOptions) {
    this.#options = options;
    this.#changeByPath = new Map(options.changes.map((change) => [change.path, change]));
    const entries = options.changes.filter(({ path }) => path !== '');
    this.#entryParents = new Set(entries.map(({ path }) => parentPath(path)));
  }

  plan(): ApplyPlan {
    const { changes, snapshot } = this.#options;
    const removals: Removal[] = [];
    const directories: string[] = [];
    const finals: DirectoryStep[] = [];
    const files: Extract<EntryStep, { kind: 'file' }>[] = [];
    const others: EntryStep[] = [];
    for (const { path, base, node } of changes) {
      const present = snapshot.lookup(path);
      const isReplaced = node && present && (node.type === 'directory') !== (present.type === 'directory');
      if (present && (!node || isReplaced)) collectRemovals(path, present, removals);
      if (!node) continue;
      switch (node.type) {
        case 'directory': {
          const step = this.#directory(path, base, node, present);
          if (present?.type !== 'directory') directories.push(path);
          if (step.mode !== undefined || step.time !== undefined) finals.push(step);
          break;
        }
        case 'file':
          files.push(this.#file(path, base, node, present));
          break;
        case 'symlink':
          if (!equalsPresent(node, present) || !hasTime(present, node.mtimeNs))
            others.push({ kind: 'symlink', path, target: node.target, time: node.mtimeNs });
          break;
        case 'fifo':
          if (!equalsPresent(node, present)) others.push({ kind: 'fifo', path, mode: node.mode });
          break;
      }
    }
    const { leaders, links } = this.#links(files);
    leaders.sort((a, b) => (a.node.mtimeNs < b.node.mtimeNs ? -1 : a.node.mtimeNs > b.node.mtimeNs ? 1 : 0));
    const sizeBytes = leaders.reduce(
      (sum, { write, node }) => sum + (write === 'keep' ? 0 : node.digest.sizeBytes),
      0,
    );
    return {
      removals: removals.reverse(),
      directories,
      entries: [...leaders, ...links, ...others],
      finals: finals.reverse(),
      sizeBytes,
    };
  }

  #file(path: string, base: TreeNode | null, node: FileState, present: Node | undefined) {
    const isWritten = !(present?.type === 'file' && equalDigests(present.digest!, node.digest));
    const isTimeChanged = base?.type !== 'file' || base.mtimeNs !== node.mtimeNs;
    let time: StepTime;
    if ((isWritten || isTimeChanged) && this.#isSetOnPurpose(node)) time = node.mtimeNs;
    else if (!isWritten && isTimeChanged) time = 'now';
    const write = !isWritten ? 'keep' : this.#hasOtherNames(present) ? 'in-place' : 'replace';
    return { kind: 'file', path, node, write, time } as const;
  }

  /** Whether the file that is there has names that the command did not change: they are to see the new content. */
  #hasOtherNames(present: Node | undefined): boolean {
    if (present?.type !== 'file' || present.linkCount < 2) return false;
    const names = this.#options.snapshot.namesOf(present.inode);
    return names.filter((name) => this.#changeByPath.has(pathOf(name))).length < present.linkCount;
  }

  /** Of each group of names for one file, one is brought into place as a file, the others are linked to it. */
  #links(files: readonly Extract<EntryStep, { kind: 'file' }>[]) {
    const groups = new Map<number, Extract<EntryStep, { kind: 'file' }>>();
    const groupOf = (path: string) => this.#changeByPath.get(path)!.linkGroup;
    // A name that has the content already stays what it is.
    for (const file of [...files].sort((a, b) => Number(a.write !== 'keep') - Number(b.write !== 'keep'))) {
      const group = groupOf(file.path);
      if (group !== undefined && !groups.has(group)) groups.set(group, file);
    }
    const leaders: Extract<EntryStep, { kind: 'file' }>[] = [];
    const links: EntryStep[] = [];
    for (const file of files) {
      const group = groupOf(file.path);
      const leader = group === undefined ? file : groups.get(group)!;
      if (leader === file) leaders.push(file);
      else links.push({ kind: 'link', path: file.path, target: leader.path, digest: file.node.digest });
    }
    return { leaders, links };
  }

  #directory(
    path: string,
    base: TreeNode | null,
    node: Extract<TreeNode, { type: 'directory' }>,
    present: Node | undefined,
  ): DirectoryStep {
    const isNew = present?.type !== 'directory';
    const isModeChanged = isNew || (base?.type === 'directory' && base.mode !== node.mode);
    const isKept = node.mtimeNs === undefined;
    const isTimeChanged = isNew || (!isKept && base?.type === 'directory' && base.mtimeNs !== node.mtimeNs);
    // Changing an entry sets the time of its directory by itself.
    const isStamped = this.#entryParents.has(path);
    let time: StepTime;
    if (isKept) time = isNew ? undefined : present.mtimeNs;
    else if ((isTimeChanged || isStamped) && this.#isSetOnPurpose(node)) time = node.mtimeNs;
    else if (isTimeChanged && !isNew && !isStamped) time = 'now';
    return { path, mode: isModeChanged ? node.mode : undefined, time };
  }

  #isSetOnPurpose({ mtimeNs }: { mtimeNs?: bigint | undefined }): boolean {
    return mtimeNs !== undefined && !isDuringRun(mtimeNs, this.#options);
  }
}

/** The directory that a path is in; "" for the root and what is directly in it. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function hasTime(present: Node | undefined, mtimeNs: bigint | undefined): boolean {
  return mtimeNs === undefined || (present?.type === 'symlink' && present.mtimeNs === mtimeNs);
}

/** Each node before what is in it. */
function collectRemovals(path: string, node: Node, removals: Removal[]): void {
  if (node.type === 'file') removals.push({ path, isDirectory: false, mtimeNs: node.mtimeNs });
  else removals.push({ path, isDirectory: node.type === 'directory' });
  if (node.type !== 'directory') return;
  for (const child of node.children.values()) collectRemovals(`${path}/${child.name}`, child, removals);
}
