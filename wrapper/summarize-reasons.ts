import type { CommandRecord, Difference } from '../protocol/build-log.ts';
import { missReasons } from './miss-reasons.ts';

/** So many names are told of what differed; the rest is counted. */
const maxNames = 5;

/** The commands of a build, grouped by where they ran, why, and by what differed from earlier runs: the largest group first. */
export function summarizeReasons(commands: readonly CommandRecord[]): string[] {
  const groups = new Map<string, number>();
  for (const command of commands) {
    const group = describe(command);
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  const sorted = [...groups].sort(([, a], [, b]) => b - a);
  const width = String(sorted[0]?.[1] ?? 0).length;
  return sorted.map(([group, count]) => `${String(count).padStart(width)} ${group}`);
}

function describe({ where, reason, differences }: CommandRecord): string {
  if (where === 'cache') return 'from cache';
  if (where !== 'remote') return `${where}${reason === undefined ? '' : `: ${reason}`}`;
  if (reason === undefined) return 'run';
  const what = differences.length === 0 ? (missReasons[reason] ?? reason) : describeDifferences(differences);
  return `run: ${what}`;
}

function describeDifferences(differences: readonly Difference[]): string {
  const names = [...new Set(differences.map(nameOf))].sort();
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : '';
  return `${names.slice(0, maxNames).join(', ')}${more} differed`;
}

function nameOf({ kind, name }: Difference): string {
  switch (kind) {
    case 'environment':
      return `variable ${name}`;
    case 'path':
    case 'system':
      return `"${name}"`;
    case 'age':
      return `the age of "${name}"`;
    case 'argument':
      return 'arguments';
    default:
      return name;
  }
}
