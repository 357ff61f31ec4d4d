import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { encodeBytes } from './byte-path.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where everything is kept that can be found out again, absolute. Source: XDG Base Directory Specification. */
export function cacheDir(env: Environment): string {
  const base = env['XDG_CACHE_HOME'] ?? '';
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'termite');
}

/** What belongs to one project: its database, journal and log. @param root absolute, symlinks resolved */
export function projectStateDir(env: Environment, root: string): string {
  const name = createHash('sha256').update(encodeBytes(root)).digest('hex').slice(0, 16);
  return join(cacheDir(env), 'projects', name);
}
