/**
 * Variables that do not count: what names a terminal, a desktop or a login session, make's own plumbing, and ours. A
 * command whose outcome depends on one of them is answered with what it did under another value. All others count.
 */
const ignoredNames = new Set([
  ...['TERM', 'COLORTERM', 'TERM_PROGRAM', 'TERM_PROGRAM_VERSION', 'TERM_SESSION_ID', 'COLUMNS', 'LINES'],
  ...['WINDOWID', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'DBUS_SESSION_BUS_ADDRESS', 'SESSION_MANAGER'],
  ...['SSH_CLIENT', 'SSH_CONNECTION', 'SSH_TTY', 'SSH_AUTH_SOCK', 'SSH_AGENT_PID', 'GPG_AGENT_INFO'],
  ...['TMUX', 'TMUX_PANE', 'STY', 'WINDOW', 'SHLVL', 'OLDPWD', '_', 'INVOCATION_ID', 'JOURNAL_STREAM'],
  ...['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'MAKE_TERMOUT', 'MAKE_TERMERR', 'MAKE_RESTARTS'],
]);
const ignoredPrefixes = ['XDG_SESSION_', 'XDG_VTNR', 'XDG_SEAT', 'VSCODE_', 'TERMITE_'];

/** What of an environment counts, sorted; of variables given twice the last. @param env `K=V` */
export function countedEnvironment(env: readonly string[]): string[] {
  const counted = new Map<string, string>();
  for (const entry of env) {
    const name = entry.slice(0, Math.max(0, entry.indexOf('='))) || entry;
    const isIgnored = ignoredNames.has(name) || ignoredPrefixes.some((prefix) => name.startsWith(prefix));
    if (!isIgnored) counted.set(name, entry);
  }
  return [...counted.values()].sort();
}
