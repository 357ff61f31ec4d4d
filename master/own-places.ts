import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Job } from '../protocol/job.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

/** What every sandbox has for itself, empty when its command begins. */
export const ownPlaces = ['/tmp', '/var/tmp', '/run', '/dev/shm'] as const;

/**
 * The directories in those places that a command needs all the same, with the ones that lead to them: those of the
 * project, of its home folder, and those that its environment names, as far as they exist. Whatever else it looks for in
 * them is then judged by itself, see reached-limit.ts.
 */
export function shownDirectories({
  projectRoot,
  home,
  env,
}: Pick<Job, 'projectRoot' | 'home' | 'env'>): Job['shown'] {
  const shown = new Map<string, number>();
  for (const path of [projectRoot, home, ...env.flatMap(namedPaths)]) {
    const place = ownPlaces.find((candidate) => path.startsWith(`${candidate}/`));
    if (place === undefined) continue;
    for (let end = place.length; end !== -1; ) {
      end = path.indexOf('/', end + 1);
      const directory = end < 0 ? path : path.slice(0, end);
      const mode = shown.get(directory) ?? modeOfDirectory(directory);
      if (mode === undefined) break;
      shown.set(directory, mode);
    }
  }
  return [...shown].map(([path, mode]) => ({ path, mode }));
}

/** Folders to work in, and those of search paths, in most of which a command does not find what it looks for. */
function namedPaths(entry: string): string[] {
  const parts = entry.slice(entry.indexOf('=') + 1).split(':');
  return parts.filter((part) => part.startsWith('/')).map((part) => resolve(part));
}

/** undefined: there is none. */
function modeOfDirectory(path: string): number | undefined {
  try {
    const stats = lstatSync(fsPath(path), { throwIfNoEntry: false });
    return stats?.isDirectory() ? stats.mode & 0o7777 : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG', 'EINVAL')) return undefined;
    throw error;
  }
}
