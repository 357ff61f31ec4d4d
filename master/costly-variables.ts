import type { CommandRecord } from '../protocol/build-log.ts';

/** From so many commands on it is worth a line. */
const leastCount = 10;

/**
 * The variables for each of which alone commands of a build had to run again, as sentences, the costliest first: often somebody
 * has changed them without knowing that anything looks at them.
 */
export function costlyVariables(records: readonly CommandRecord[]): string[] {
  const counts = new Map<string, number>();
  for (const { where, reason, differences } of records) {
    const [only, ...more] = differences;
    if (where !== 'remote' || reason !== 'new-command' || only?.kind !== 'environment' || more.length > 0)
      continue;
    counts.set(only.name, (counts.get(only.name) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count >= leastCount)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => {
      const rule = JSON.stringify({ Regexp: '', Env: { Ignore: [name] } });
      return `${count} commands ran only because variable ${name} is not as it was; if they do not use it, a rule in .termite-localrc saves that: ${rule}`;
    });
}
