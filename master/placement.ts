import type { RunRequest } from '../protocol/run-request.ts';
import { type BuiltInReason, builtInReason } from './built-in-rules.ts';
import { type LocalRule, type Treatment, usualTreatment } from './local-rule.ts';
import { takesPart } from './takes-part.ts';

/**
 * Where a command is to run, why, and how. `rule`: the one of the user's that says how and, when that is the reason, where. A
 * local command needs one of this machine's slots, unless it only starts others that ask by themselves, or takes no time.
 */
export type Placement = { treatment: Treatment; rule?: LocalRule } & (
  | { where: 'remote'; reason: 'default' | 'rule' }
  /** `isRecursive`: what it starts takes part in the build; else all of that keeps to this machine. */
  | { where: 'local'; reason: LocalReason; isRecursive: boolean; needsSlot: boolean }
);

/** `outside-root`: its directory is not in the project, so nothing that it writes could be brought back. */
export type LocalReason = 'rule' | BuiltInReason | 'outside-root';

/**
 * The user's rules come first, the first that matches wins. When that one does not say where, or there is none, it is what make
 * and we know that counts; everything else goes away.
 */
export function place(
  request: RunRequest,
  { rules, projectRoot, ownShell }: { rules: readonly LocalRule[]; projectRoot: string; ownShell: string },
): Placement {
  const line = commandLine(request);
  const reason = knownReason(request, line);
  // Only elsewhere does the real shell's name stand in place of ours.
  const known = reason === 'trivial' && line.includes(ownShell) ? undefined : reason;
  const joins = known !== undefined && takesPart(line, { isOfMake: request.hasJobserver });
  if (!isWithin(request.cwd, projectRoot))
    return locally('outside-root', { isRecursive: joins, needsSlot: known === undefined });
  const rule = rules.find(({ regexp }) => regexp.test(line));
  if (known && rule?.isLocal === undefined) {
    const needsSlot = !joins && works.has(known);
    return locally(known, { isRecursive: joins, needsSlot, rule });
  }
  if (!rule) return { where: 'remote', reason: 'default', treatment: usualTreatment };
  const { isLocal, isRecursive, treatment } = rule;
  const why = { reason: 'rule', rule, treatment } as const;
  return isLocal
    ? { where: 'local', isRecursive, needsSlot: !isRecursive, ...why }
    : { where: 'remote', ...why };
}

/** Kept for what they are, but they do all the work themselves, unless they are builds. */
const works: ReadonlySet<LocalReason> = new Set(['recursive', 'build-tool']);

function locally(
  reason: LocalReason,
  { rule, ...how }: { isRecursive: boolean; needsSlot: boolean; rule?: LocalRule | undefined },
): Placement {
  const treatment = rule?.treatment ?? usualTreatment;
  return { where: 'local', reason, ...how, treatment, ...(rule && { rule }) };
}

/** What make or its line say without any rule of the user's. */
function knownReason({ hasJobserver, isExec }: RunRequest, line: string): BuiltInReason | undefined {
  if (hasJobserver) return 'recursive';
  return isExec ? undefined : builtInReason(line);
}

/** What rules look at: the argument of `-c`, or program and arguments with spaces between. */
export function commandLine({ argv, isExec }: Pick<RunRequest, 'argv' | 'isExec'>): string {
  if (isExec) return argv.join(' ');
  let i = 0;
  while (/^[-+]./.test(argv[i] ?? '')) i += /^[-+][A-Za-z]*o$/.test(argv[i]!) ? 2 : 1;
  return argv[i] ?? '';
}

function isWithin(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`);
}
