import type { RunRequest } from '../protocol/run-request.ts';
import { type BuiltInReason, builtInReason } from './built-in-rules.ts';
import type { LocalRule } from './local-rules.ts';

/** Where a command is to run, and why. */
export type Placement =
  | { where: 'remote'; reason: 'default' | 'rule'; isCached: boolean }
  | { where: 'local'; reason: LocalReason; isRecursive: boolean };

/** `outside-root`: its directory is not in the project, so nothing that it writes could be brought back. */
export type LocalReason = 'rule' | BuiltInReason | 'outside-root';

/** The user's rules come first, the first that matches wins; then what make and we know; everything else goes away. */
export function place(
  request: RunRequest,
  { rules, projectRoot }: { rules: readonly LocalRule[]; projectRoot: string },
): Placement {
  const line = commandLine(request);
  if (!isWithin(request.cwd, projectRoot))
    return { where: 'local', reason: 'outside-root', isRecursive: true };
  const rule = rules.find(({ regexp }) => regexp.test(line));
  if (rule) {
    return rule.isLocal
      ? { where: 'local', reason: 'rule', isRecursive: rule.isRecursive }
      : { where: 'remote', reason: 'rule', isCached: rule.isCached };
  }
  if (request.hasJobserver) return { where: 'local', reason: 'recursive', isRecursive: true };
  const builtIn = request.isExec ? undefined : builtInReason(line);
  if (builtIn) return { where: 'local', reason: builtIn, isRecursive: true };
  return { where: 'remote', reason: 'default', isCached: true };
}

/** What rules look at: the argument of `-c`, or program and arguments with spaces between. */
export function commandLine({ argv, isExec }: RunRequest): string {
  if (isExec) return argv.join(' ');
  let i = 0;
  while (/^[-+]./.test(argv[i] ?? '')) i += /^[-+][A-Za-z]*o$/.test(argv[i]!) ? 2 : 1;
  return argv[i] ?? '';
}

function isWithin(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`);
}
