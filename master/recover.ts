import { unlinkSync } from 'node:fs';
import { formatDigest } from '../cas/digest.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Change } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { type ApplyOptions, applyPlan } from './apply.ts';
import { type ApplyPlan, parentPath, planApply } from './apply-plan.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { listNames } from './list-names.ts';
import type { ProjectBlobs } from './project-blobs.ts';
import { temporaryPrefix } from './reserved-names.ts';
import { SafePaths } from './safe-paths.ts';
import { type FileNode, type Node, pathOf } from './tree-node.ts';

export interface RecoverOptions extends Omit<ApplyOptions, 'id' | 'opened' | 'stampNs'> {
  store: FileBlobStore;
  blobs: ProjectBlobs;
  journal: Journal;
  bootId: string;
  remember: (files: readonly FileNode[]) => void;
}

/**
 * Finishes the commits of a process that was killed, path by path: what still is as the command found it is brought to
 * what the command left; what somebody has changed since stays, with a notice. Everything gets the time at which the
 * commit began, so that nothing looks newer than what was edited afterwards.
 *
 * When content is missing, its path stays as it is, and what the same commit had made anew is removed, for make to make
 * it again.
 */
export async function recover(options: RecoverOptions): Promise<void> {
  for (const { entry, begunNs, forget } of options.journal.unfinished()) {
    try {
      const paths = entry.changes.map(({ path }) => path);
      removeTemporaries(entry.id, paths, options.projectRoot);
      // Pages of another boot may be older than what they tell of.
      const isOfThisBoot = (entry.boot ?? options.bootId) === options.bootId;
      if (isOfThisBoot) await finish(entry, begunNs, options);
    } catch (error) {
      options.onNotice(`A result that was being applied could not be finished: ${describeError(error)}`);
    }
    forget();
  }
}

async function finish(entry: JournalEntry, begunNs: bigint, options: RecoverOptions): Promise<void> {
  const { snapshot, onNotice } = options;
  const changes = entry.changes.flatMap((change) => adapt(change, entry, options));
  let plan = planWhatFits(changes, entry, options);
  const missing = await missingContent(plan, options);
  if (missing.size > 0) {
    const isMissing = ({ node }: Change) => node?.type === 'file' && missing.has(formatDigest(node.digest));
    for (const { path } of changes.filter(isMissing))
      onNotice(`"${path}" could not be finished: its content is lost`);
    plan = planWhatFits(changes.filter((change) => !isMissing(change)).map(withdraw), entry, options);
  }
  const opened = entry.opened.filter(({ path }) => snapshot.lookup(path)?.type === 'directory');
  options.remember(await applyPlan(plan, { ...options, id: entry.id, opened, stampNs: begunNs }));
}

/** The change with a base that allows for what the killed commit had done half; none for what must not be done any more. */
function adapt(change: Change, entry: JournalEntry, { snapshot, onNotice }: RecoverOptions): Change[] {
  const { path, base, node } = change;
  const present = snapshot.lookup(path);
  if (present?.type === 'directory' && node?.type !== 'directory') {
    const known = new Map(entry.removals.map((removal) => [removal.path, removal.mtimeNs]));
    if (isKnown(present, known)) return [change];
    onNotice(`"${path}" was not removed: something was put into it meanwhile`);
    return [];
  }
  // What is to be replaced by another kind of thing is removed first.
  if (!present && node && entry.removals.some((removal) => removal.path === path))
    return [{ ...change, base: null }];
  // A new directory gets its mode and time last.
  if (present?.type === 'directory' && node?.type === 'directory' && base?.type !== 'directory') {
    return [{ ...change, base: { type: 'directory', mode: present.mode, mtimeNs: present.mtimeNs } }];
  }
  // A file that was being overwritten in place is neither the old nor the new one.
  const isTorn =
    present?.type === 'file' &&
    entry.inPlace.some((torn) => torn.path === path && torn.inode === present.inode);
  if (!isTorn) return [change];
  const { digest, mode, mtimeNs } = present;
  return [{ ...change, base: { type: 'file', digest: digest!, mode, mtimeNs } }];
}

function isKnown(node: Node, known: ReadonlyMap<string, bigint | undefined>): boolean {
  const path = pathOf(node);
  if (!known.has(path)) return false;
  if (node.type === 'file') return known.get(path) === node.mtimeNs;
  if (node.type !== 'directory') return true;
  return [...node.children.values()].every((child) => isKnown(child, known));
}

/** A plan for those changes whose paths are still as the command found or left them. */
function planWhatFits(
  changes: readonly Change[],
  { startedNs, finishedNs }: JournalEntry,
  { snapshot, onNotice }: RecoverOptions,
): ApplyPlan {
  for (let fitting = changes; ; ) {
    const planned = planApply({ changes: fitting, startedNs, finishedNs, snapshot });
    if (planned.ok) return planned.value;
    if (planned.failure.reason !== 'conflict')
      throw new Error('Internal error: a plan can only fail by conflict');
    const conflict = planned.failure.path;
    onNotice(`"${conflict}" was changed after a master was killed while writing it: it stays as it is`);
    fitting = fitting.filter(({ path }) => path !== conflict && !conflict.startsWith(`${path}/`));
  }
}

async function missingContent(
  { entries }: ApplyPlan,
  { store, blobs }: RecoverOptions,
): Promise<Set<string>> {
  const missing = new Set<string>();
  for (const step of entries) {
    if (step.kind !== 'file' || step.write === 'keep') continue;
    const { digest } = step.node;
    const isThere = (await store.verify(digest)) || (await blobs.ensureStored(digest));
    if (!isThere) missing.add(formatDigest(digest));
  }
  return missing;
}

/** What the command had made anew is removed; what it had changed stays changed. */
function withdraw(change: Change): Change {
  const { base, node } = change;
  return base === null && node?.type === 'file' ? { path: change.path, base: node, node: null } : change;
}

/** What a commit has not given its name. */
export function removeTemporaries(id: string, changed: readonly string[], projectRoot: string): void {
  using paths = new SafePaths(projectRoot);
  for (const directory of new Set(changed.map(parentPath))) {
    try {
      for (const name of listNames(paths.directory(directory))) {
        const isOurs = name.startsWith(`${temporaryPrefix}${id}-`);
        if (isOurs) unlinkSync(fsPath(paths.inDirectory(directory, name)));
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error;
    }
  }
}
