import { accessSync, type BigIntStats, constants } from 'node:fs';
import type { Rights } from '../cas/directory.ts';
import { fsPath } from '../runtime/byte-path.ts';

const { R_OK, W_OK, X_OK } = constants;
const groups = new Set([process.getegid!(), ...process.getgroups!()]);

/**
 * Which permission bits of a file or directory are ours, for whom make runs; undefined: those of the owner. That also stands for
 * all that we may write to, and for root, who may do everything: a sandbox refuses to write by itself what is not its user's, and
 * what would have been allowed here must be noticed. When in doubt more is allowed, since what then fails is noticed as well.
 *
 * @param path absolute, no symlink
 */
export function rightsTo(path: string, { uid, gid, mode }: BigIntStats): Rights | undefined {
  const user = process.geteuid!();
  if (user === 0 || Number(uid) === user) return undefined;
  const ofGroup = (Number(mode) >> 3) & 7;
  const ofOthers = Number(mode) & 7;
  // Bits of the group that others do not have may be ours by an access control list.
  const isGroup = groups.has(Number(gid)) || hasAny(path, ofGroup & ~ofOthers);
  if ((isGroup ? ofGroup : ofOthers) & W_OK) return undefined;
  return isGroup ? 'group' : 'other';
}

/** Whether a directory that cannot be listed lets us pass on to what is in it, as one of mode 0711 does. */
export function isPassable(path: string): boolean {
  return hasAny(path, X_OK);
}

function hasAny(path: string, rights: number): boolean {
  return [R_OK, W_OK, X_OK].some((right) => (rights & right) !== 0 && isAllowed(path, right));
}

function isAllowed(path: string, right: number): boolean {
  try {
    accessSync(fsPath(path), right);
    return true;
  } catch {
    return false;
  }
}
