import type { Report } from '../protocol/control.ts';

/** Reasons to run locally that are not our failure; all others are fallbacks. */
const ordinaryReasons: Readonly<Record<string, (count: number) => string>> = {
  recursive: (n) => `${n} recursive`,
  rule: (n) => plural(n, 'rule'),
  'build-tool': (n) => plural(n, 'build tool'),
  trivial: (n) => `${n} trivial`,
  'outside-root': (n) => `${n} outside the project`,
  background: (n) => `${n} in the background`,
  terminal: (n) => `${n} on the terminal`,
  'left-outside': (n) => `${n} writing outside the project`,
  hidden: (n) => `${n} that need what sandboxes hide`,
  'refused-write': (n) => `${n} writing outside the project`,
  'private-file': (n) => `${n} that need private files`,
  network: (n) => `${n} using the network`,
  lock: (n) => `${n} locking files`,
  privilege: (n) => `${n} with special powers`,
  'unsupported-output': (n) => plural(n, 'special file'),
  linked: (n) => plural(n, 'linked file'),
  owner: (n) => `${n} with files of others`,
  failed: (n) => `${n} run again after failing`,
};

/** What a start takes anyway is not worth telling. */
const shortStartMs = 500;

/**
 * What is said at the end of a build.
 *
 * @param startingMs what passed before the build began, which its user has waited as well
 */
export function summarize(report: Report, { startingMs }: { startingMs: number }): string[] {
  const { commands, wallMs, cached, remote, local, conflicts, failed, verified, mismatched } = report;
  const parts = [
    cached > 0 ? `${cached} from cache` : '',
    remote > 0 ? `${remote} remote` : '',
    local > 0 ? `${local} local${describeLocal(report)}` : '',
    conflicts > 0 ? plural(conflicts, 'conflict') : '',
    failed > 0 ? `${failed} failed` : '',
    verified > 0 ? `${verified} verified` : '',
    mismatched > 0 ? plural(mismatched, 'mismatch', 'mismatches') : '',
  ].filter((part) => part !== '');
  const starting = startingMs < shortStartMs ? '' : `, ${seconds(startingMs)} of it starting`;
  const head = `${plural(commands, 'command')} in ${seconds(startingMs + wallMs)}${starting}`;
  return [parts.length > 0 ? `${head}: ${parts.join(', ')}` : head];
}

function describeLocal({ localByReason, fallbacks }: Report): string {
  const parts = Object.entries(ordinaryReasons).flatMap(([reason, describe]) => {
    const count = localByReason[reason] ?? 0;
    return count > 0 ? [describe(count)] : [];
  });
  if (fallbacks > 0) parts.push(plural(fallbacks, 'fallback'));
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}
