import { accessSync, constants, lstatSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { User } from './user.ts';

/** Folders outside the one for temporary files in which tests may make theirs. */
export const places = [resolve(import.meta.dirname, '../..'), homedir(), '/srv', '/opt'];

/** The first folder that sandboxes show, that we may write in and that `user` can reach; undefined where there is none. */
export function visiblePlace(user: User): string | undefined {
  return places.find((place) => isVisible(place) && isWritable(place) && isReachable(place, user));
}

/** Below /tmp and the like each sandbox has a folder of its own. */
function isVisible(place: string): boolean {
  return !/^\/(tmp|var\/tmp|run|dev)\//.test(`${place}/`);
}

function isWritable(place: string): boolean {
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether `user` can enter a folder and all that it lies in. Another user than ours owns nothing on this machine. */
export function isReachable(place: string, user: User): boolean {
  if (user === 'root' || process.getuid?.() !== 0) return true;
  for (let dir = place; ; dir = dirname(dir)) {
    if ((lstatSync(dir).mode & 0o001) === 0) return false;
    if (dir === dirname(dir)) return true;
  }
}
