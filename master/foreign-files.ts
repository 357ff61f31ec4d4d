import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Manifest } from '../protocol/job.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

const setGroupId = 0o2000;

/**
 * A file of somebody else's that a command has changed, or looked at to show whose it is. In a sandbox all files are the
 * caller's, and whether a changed one was written to, and stays whose it was, or made anew, nobody can tell afterwards.
 *
 * @param root absolute path of the project
 * @param caller whoever runs the command
 * @param showsOwners whether it may tell whose the files are that it finds
 * @returns its path, relative to the root
 */
export function findForeign(
  { changes, trace }: Pick<Manifest, 'changes' | 'trace'>,
  { root, caller, showsOwners }: { root: string; caller: Owner; showsOwners: boolean },
): string | undefined {
  const changed = changes.filter(({ base, node }) => base && node && node.type !== 'directory');
  const seen = [...changed, ...(showsOwners ? trace : [])];
  return seen.find(({ path }) => isForeign(join(root, path), caller))?.path;
}

interface Owner {
  uid: number;
  gid: number;
}

/** Whether it is not whose it would be if the caller made it. */
function isForeign(path: string, { uid, gid }: Owner): boolean {
  const stats = statsOf(path);
  if (!stats || (stats.uid === uid && stats.gid === gid)) return false;
  const parent = statsOf(dirname(path));
  const isOfItsFolder = parent?.gid === stats.gid && (parent.mode & setGroupId) !== 0;
  return stats.uid !== uid || !isOfItsFolder;
}

/** undefined: it is not there, or not for us to see. */
function statsOf(path: string) {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false });
  } catch (error) {
    if (isErrno(error, 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}
