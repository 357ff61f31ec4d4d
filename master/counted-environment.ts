import { isAmbient } from './ambient-variables.ts';
import { type EnvironmentRule, isNamed, nameOf } from './environment-rule.ts';

/**
 * Ours, and what shells and make keep up themselves: never counts unless a rule says so. MAKEFLAGS and MAKELEVEL are not
 * among them, since scripts look at them, and a make that nobody sees does what they say.
 */
const plumbing =
  /^(?:TERMITE_\w*|MAKE_TERMOUT|MAKE_TERMERR|MAKE_RESTARTS|CMAKE_BUILD_PARALLEL_LEVEL|_|SHLVL|OLDPWD)$/;

export interface CountingOptions {
  rule: Pick<EnvironmentRule, 'ignored' | 'counted' | 'set'>;
  /** What can have any effect on it at all (known-programs.ts); absent: everything. */
  canMatter?: ((name: string) => boolean) | undefined;
  /** Whether the build got `K=V` from whoever started it. What make or the command line set is not inherited, and counts. */
  isInherited: (entry: string) => boolean;
}

/** What of an environment counts, sorted; of variables given twice the last. @param env `K=V` */
export function countedEnvironment(
  env: readonly string[],
  { rule: { ignored, counted, set }, canMatter = () => true, isInherited }: CountingOptions,
): string[] {
  const entries = new Map<string, string>();
  for (const entry of env) {
    const name = nameOf(entry);
    // What a rule sets or counts is the user's own doing.
    const isWanted = Object.hasOwn(set, name) || isNamed(name, counted);
    if (isWanted || (counts(entry, name) && !isNamed(name, ignored))) entries.set(name, entry);
    else entries.delete(name);
  }
  return [...entries.values()].sort();

  function counts(entry: string, name: string): boolean {
    if (plumbing.test(name) || !canMatter(name)) return false;
    return !isAmbient(name) || !isInherited(entry);
  }
}
