import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { getPriority } from 'node:os';
import { resolve } from 'node:path';
import { fsPath } from './byte-path.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Of an outer build, or of one build alone: no part of what a master is. */
export const perBuild: readonly string[] = [
  'MAKEFLAGS',
  'MFLAGS',
  'MAKELEVEL',
  'TERMITE_SOCKET',
  'TERMITE_SESSION',
  'TERMITE_SHELL',
  'TERMITE_SHELLS',
  'TERMITE_CALLERS_SHELL',
  'TERMITE_REPORT',
  'TERMITE_TRIFLES',
  'TERMITE_ASKED',
  'TERMITE_LOCAL',
  'TERMITE_SLOT',
  'TERMITE_SIGNALS',
  'TERMITE_PRELOAD',
  'TERMITE_LINE_SHELL',
];

/** Of this very program, relative to its package. */
const programs = [
  'dist/wrapper/main.js',
  'native/build/termite-box',
  'native/build/termite-watch',
  'native/build/libexec/sh',
];
const packageRoot = resolve(import.meta.dirname, '../..');

const namespaces = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];

/**
 * All that a process has from whoever started it, that its own children will have, and that no message can change: its user,
 * namespaces, mounts, control groups, limits, priority and processors, and the settings in its environment. Two processes in which this is equal are as
 * good as each other for having a build's commands run. Also names our own programs as they are on the disk now.
 */
export function circumstances(env: Environment): string {
  const settings = Object.entries(env)
    .filter(([name]) => /^(TERMITE_|NODE_|LD_|XDG_CACHE_HOME$|HOME$|TMPDIR$)/.test(name))
    .filter(([name]) => !perBuild.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    settings,
    user: [process.getuid?.(), process.getgid?.(), process.getgroups?.()],
    root: identityOf('/'),
    namespaces: namespaces.map(namespaceOf),
    // A watch is on what lies under a mount that came later, and a sandbox has the mounts of its beginning.
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    controlGroups: readFileSync('/proc/self/cgroup', 'utf8'),
    limits: readFileSync('/proc/self/limits', 'utf8'),
    priority: getPriority(),
    processors: /^Cpus_allowed:.*/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0],
    node: process.execPath,
    programs: programs.map((path) => {
      const stats = statSync(resolve(packageRoot, path), { throwIfNoEntry: false });
      return [stats?.ino, stats?.size, stats?.mtimeMs];
    }),
  });
}

/** Tells whether a path still names the same file or folder; `undefined` when there is none. */
export function identityOf(path: string): string | undefined {
  const stats = statSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
  // Numbers are given again to what is made next.
  return stats && `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`;
}

/** Empty where the kernel has no such kind. */
function namespaceOf(kind: string): string {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    return '';
  }
}
