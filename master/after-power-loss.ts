import { closeSync, fsyncSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { equalDigests } from '../cas/digest.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Digest } from '../protocol/digest.ts';
import { describeError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import type { AppliedPart, WrittenFile } from './applied-log.ts';
import { parentPath } from './apply-plan.ts';
import { runCoreutils } from './coreutils.ts';
import { hashFile } from './hash-file.ts';
import { removeTemporaries } from './recover.ts';
import { temporaryPrefix } from './reserved-names.ts';
import { SafePaths } from './safe-paths.ts';
import type { Snapshot } from './snapshot.ts';
import { type FileNode, filesBelow, pathOf } from './tree-node.ts';

export interface RestoreOptions {
  projectRoot: string;
  snapshot: Snapshot;
  store: FileBlobStore;
  onNotice: (message: string) => void;
}

/**
 * After a power failure: what was applied and not synced gets back the content that it should have, with the time that it
 * has, or is removed for make to make it again. A commit that was not known to have ended leaves nothing that it made
 * anew; nor does any that came after one whose content is lost, for make may take what those made for proof of it.
 *
 * What was changed since by anybody is his: it has another inode, or another time and is not empty.
 *
 * @returns the paths that are not as the snapshot has them any more
 */
export async function restoreUnsynced(
  parts: readonly AppliedPart[],
  { projectRoot, snapshot, store, onNotice }: RestoreOptions,
): Promise<string[]> {
  if (parts.length === 0) return [];
  using paths = new SafePaths(projectRoot);
  const nodes = nodesOf(parts, snapshot);
  const touched: string[] = [];
  let isLost = false;
  const putRight = async (node: FileNode, file: WrittenFile, { id, hasEnded }: AppliedPart) => {
    const path = pathOf(node);
    const { digest } = await hashFile(join(projectRoot, path));
    const isGood = equalDigests(digest, file.digest);
    const mayStay = !file.isNew || (hasEnded && !isLost);
    if (isGood && mayStay) return;
    touched.push(path);
    if (mayStay && node.mtimeNs === file.mtimeNs && (await store.verify(file.digest))) {
      await restore(node, file.digest, { id, paths, store });
    } else {
      isLost ||= hasEnded;
      unlinkSync(fsPath(paths.of(path)));
      if (!isGood) onNotice(`"${path}" was lost when the machine went down: it is removed, to be made again`);
    }
  };
  for (const part of parts) {
    const { id, files } = part;
    const written = files.map(({ path }) => path);
    removeTemporaries(id, written, projectRoot);
    for (const file of files) {
      for (const node of nodes.get(file) ?? []) {
        try {
          await putRight(node, file, part);
        } catch (error) {
          onNotice(
            `"${pathOf(node)}" may have been damaged when the machine went down: ${describeError(error)}`,
          );
        }
      }
    }
  }
  return touched;
}

/** Where each file is now; of several that had the same inode one after the other, the last. */
function nodesOf(parts: readonly AppliedPart[], snapshot: Snapshot): Map<WrittenFile, FileNode[]> {
  const byInode = new Map(parts.flatMap(({ files }) => files.map((file) => [file.inode, file] as const)));
  const found = new Map<WrittenFile, FileNode[]>();
  for (const node of filesBelow(snapshot.root)) {
    const file = byInode.get(node.inode);
    if (!file) continue;
    // One that was only touched since has lost its content all the same.
    const isEmptied = node.sizeBytes === 0 && file.digest.sizeBytes > 0;
    if (file.mtimeNs === node.mtimeNs || isEmptied) found.set(file, [...(found.get(file) ?? []), node]);
  }
  return found;
}

async function restore(
  node: FileNode,
  digest: Digest,
  { id, paths, store }: { id: string; paths: SafePaths; store: FileBlobStore },
): Promise<void> {
  const path = pathOf(node);
  const { mode, mtimeNs } = node;
  const temporary = paths.inDirectory(parentPath(path), `${temporaryPrefix}${id}-restored`);
  await store.exportFile(digest, temporary, { mode });
  await runCoreutils([{ kind: 'touch', path: temporary, mtimeNs }]);
  const file = openSync(fsPath(temporary), 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fsPath(temporary), fsPath(paths.of(path)));
}
