import { type EnvironmentRule, isNamed, nameOf } from './environment-rule.ts';

/**
 * Variables that do not count unless a rule says so: what names a terminal, a desktop or a login session, make's own
 * plumbing, and ours. A command whose outcome depends on one of them is answered with what it did under another
 * value. All others count.
 */
export const ignoredVariables: readonly string[] = [
  ...['TERM', 'COLORTERM', 'TERM_PROGRAM', 'TERM_PROGRAM_VERSION', 'TERM_SESSION_ID', 'COLUMNS', 'LINES'],
  ...['WINDOWID', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'DBUS_SESSION_BUS_ADDRESS', 'SESSION_MANAGER'],
  ...['SSH_CLIENT', 'SSH_CONNECTION', 'SSH_TTY', 'SSH_AUTH_SOCK', 'SSH_AGENT_PID', 'GPG_AGENT_INFO'],
  ...['TMUX', 'TMUX_PANE', 'STY', 'WINDOW', 'SHLVL', 'OLDPWD', '_', 'INVOCATION_ID', 'JOURNAL_STREAM'],
  ...['MAKEFLAGS', 'GNUMAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKE_TERMOUT', 'MAKE_TERMERR', 'MAKE_RESTARTS'],
  ...['XDG_SESSION_*', 'XDG_VTNR*', 'XDG_SEAT*', 'VSCODE_*', 'TERMITE_*'],
];
const ignoredNames = new Set(ignoredVariables);
const ignoredPrefixes = ignoredVariables.filter((name) => name.endsWith('*'));

/** What of an environment counts, sorted; of variables given twice the last. @param env `K=V` */
export function countedEnvironment(
  env: readonly string[],
  { ignored, counted, set }: Pick<EnvironmentRule, 'ignored' | 'counted' | 'set'>,
): string[] {
  const entries = new Map<string, string>();
  for (const entry of env) {
    const name = nameOf(entry);
    const isUsuallyIgnored = ignoredNames.has(name) || isNamed(name, ignoredPrefixes);
    const counts = isUsuallyIgnored ? isNamed(name, counted) : !isNamed(name, ignored);
    // What a rule sets is the user's own doing.
    if (counts || Object.hasOwn(set, name)) entries.set(name, entry);
  }
  return [...entries.values()].sort();
}
