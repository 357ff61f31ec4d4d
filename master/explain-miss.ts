import type { Difference } from '../protocol/build-log.ts';
import type { Observation } from '../protocol/job.ts';
import { noLimit, type ProcessContext } from '../protocol/process-context.ts';
import type { Question } from './fingerprint.ts';

/** So many are told. */
export const maxDifferences = 20;

/** What can be told apart of a command without its files. */
export interface CommandTraits {
  argv: string[];
  env: string[];
  umask: number;
  /** Name → value of what else a command has from its caller. */
  context: Record<string, string>;
}

export function traitsOf({ argv, env, umask, context }: Question): CommandTraits {
  return { argv, env, umask, context: describeContext(context) };
}

const limitNames = ['cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'nproc', 'nofile', 'memlock', 'as'];

function describeContext({ limits, ignoredSignals, personality, host, domain }: ProcessContext) {
  const described: Record<string, string> = {
    'ignored signals': ignoredSignals.toString(16),
    personality: personality.toString(16),
    'host name': host,
    'domain name': domain,
  };
  for (const [number, [soft, hard]] of limits.entries()) {
    const show = (value: bigint) => (value === noLimit ? 'unlimited' : String(value));
    const name = limitNames[number];
    if (name !== undefined) described[`limit ${name}`] = `${show(soft)}, at most ${show(hard)}`;
  }
  return described;
}

/** How a command differs from an earlier one: words, variables, umask. */
export function compareTraits(was: CommandTraits, is: CommandTraits): Difference[] {
  const differences: Difference[] = [];
  const words = (argv: readonly string[]) =>
    argv.flatMap((word) => word.split(/\s+/)).filter((word) => word !== '');
  const [before, now] = [words(was.argv), words(is.argv)];
  for (const word of before) {
    if (!now.includes(word)) differences.push({ kind: 'argument', name: word, was: word, is: '' });
  }
  for (const word of now) {
    if (!before.includes(word)) differences.push({ kind: 'argument', name: word, was: '', is: word });
  }
  const values = (env: readonly string[]) =>
    new Map(env.map((entry) => [entry.split('=', 1)[0]!, entry.slice(entry.indexOf('=') + 1)]));
  const [oldValues, newValues] = [values(was.env), values(is.env)];
  for (const name of new Set([...oldValues.keys(), ...newValues.keys()])) {
    const [old, now] = [oldValues.get(name), newValues.get(name)];
    if (old !== now) differences.push({ kind: 'environment', name, was: old ?? 'unset', is: now ?? 'unset' });
  }
  if (was.umask !== is.umask) {
    differences.push({ kind: 'umask', name: 'umask', was: was.umask.toString(8), is: is.umask.toString(8) });
  }
  for (const [name, value] of Object.entries(is.context)) {
    const before = was.context[name] ?? 'unknown';
    if (before !== value) differences.push({ kind: 'context', name, was: before, is: value });
  }
  return differences.slice(0, maxDifferences);
}

/** Which of the observed paths have another state. */
export function compareStates(
  observations: readonly Observation[],
  was: readonly string[],
  is: readonly string[],
): Difference[] {
  return observations.flatMap(({ path }, index) =>
    was[index] === is[index]
      ? []
      : [{ kind: 'path' as const, name: path, was: was[index] ?? 'unknown', is: is[index] ?? 'unknown' }],
  );
}
