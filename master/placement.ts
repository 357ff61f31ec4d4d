import type { RunRequest } from '../protocol/run-request.ts';
import { type BuiltInReason, builtInReason } from './built-in-rules.ts';
import type { LocalRule } from './local-rules.ts';

/**
 * Where a command is to run, and why. A local one needs one of this machine's slots, unless it only starts others that ask by
 * themselves, or takes no time.
 */
export type Placement =
  | { where: 'remote'; reason: 'default' | 'rule'; isCached: boolean }
  | { where: 'local'; reason: LocalReason; isRecursive: boolean; needsSlot: boolean };

/** `outside-root`: its directory is not in the project, so nothing that it writes could be brought back. */
export type LocalReason = 'rule' | BuiltInReason | 'outside-root';

/** The user's rules come first, the first that matches wins; then what make and we know; everything else goes away. */
export function place(
  request: RunRequest,
  { rules, projectRoot, ownShell }: { rules: readonly LocalRule[]; projectRoot: string; ownShell: string },
): Placement {
  const line = commandLine(request);
  const reason = knownReason(request, line);
  // Only elsewhere does the real shell's name stand in place of ours.
  const known = reason === 'trivial' && line.includes(ownShell) ? undefined : reason;
  if (!isWithin(request.cwd, projectRoot))
    return { where: 'local', reason: 'outside-root', isRecursive: true, needsSlot: known === undefined };
  const rule = rules.find(({ regexp }) => regexp.test(line));
  if (rule) {
    const { isRecursive, isCached } = rule;
    return rule.isLocal
      ? { where: 'local', reason: 'rule', isRecursive, needsSlot: !isRecursive }
      : { where: 'remote', reason: 'rule', isCached };
  }
  if (known) return { where: 'local', reason: known, isRecursive: true, needsSlot: false };
  return { where: 'remote', reason: 'default', isCached: true };
}

/** What make or its line say without any rule of the user's. */
function knownReason({ hasJobserver, isExec }: RunRequest, line: string): BuiltInReason | undefined {
  if (hasJobserver) return 'recursive';
  return isExec ? undefined : builtInReason(line);
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
