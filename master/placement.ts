import type { RunRequest } from '../protocol/run-request.ts';
import { type BuiltInReason, builtInReason } from './built-in-rules.ts';
import { type LocalRule, type Treatment, usualTreatment } from './local-rule.ts';

/** Where a command is to run, why, and how. `rule`: the one of the user's that has decided. */
export type Placement = { treatment: Treatment; rule?: LocalRule } & (
  | { where: 'remote'; reason: 'default' | 'rule' }
  | { where: 'local'; reason: LocalReason; isRecursive: boolean }
);

/** `outside-root`: its directory is not in the project, so nothing that it writes could be brought back. */
export type LocalReason = 'rule' | BuiltInReason | 'outside-root';

/** The user's rules come first, the first that matches wins; then what make and we know; everything else goes away. */
export function place(
  request: RunRequest,
  { rules, projectRoot }: { rules: readonly LocalRule[]; projectRoot: string },
): Placement {
  const line = commandLine(request);
  if (!isWithin(request.cwd, projectRoot)) return locally('outside-root');
  const rule = rules.find(({ regexp }) => regexp.test(line));
  if (rule) {
    const { isLocal, isRecursive, treatment } = rule;
    const why = { reason: 'rule', rule, treatment } as const;
    return isLocal ? { where: 'local', isRecursive, ...why } : { where: 'remote', ...why };
  }
  if (request.hasJobserver) return locally('recursive');
  const builtIn = request.isExec ? undefined : builtInReason(line);
  if (builtIn) return locally(builtIn);
  return { where: 'remote', reason: 'default', treatment: usualTreatment };
}

function locally(reason: LocalReason): Placement {
  return { where: 'local', reason, isRecursive: true, treatment: usualTreatment };
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
