import { z } from 'zod';
import type { Difference } from '../protocol/build-log.ts';
import type { Observation } from '../protocol/job.ts';
import { noLimit, type ProcessContext } from '../protocol/process-context.ts';
import type { Question } from './fingerprint.ts';
import { CountFlag } from './path-state.ts';

/** So many are told. */
export const maxDifferences = 20;

/** What can be told apart of a command without its files: all that is in its weak fingerprint. */
export const traitsSchema = z.object({
  argv: z.array(z.string()),
  env: z.array(z.string()),
  umask: z.number(),
  /** Name → value: all else. */
  others: z.record(z.string(), z.string()),
});

export type CommandTraits = z.infer<typeof traitsSchema>;

export function traitsOf(question: Question): CommandTraits {
  const { argv, env, umask, uid, gid, home, cwd, projectRoot, network, timeoutMs, timeUse, context } =
    question;
  const others = {
    ...{
      'user id': `${uid}`,
      'group id': `${gid}`,
      'home folder': home || 'none',
      'project root': projectRoot,
    },
    ...{ 'current folder': cwd, network: network ? 'allowed' : 'none', 'time limit': `${timeoutMs} ms` },
    'programs known': timeUse === 'unused' ? 'all' : `not all, times ${timeUse}`,
    architecture: process.arch,
    ...describeContext(context),
  };
  return { argv: [...argv], env: [...env], umask, others };
}

const limitNames = ['cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'nproc', 'nofile', 'memlock', 'as'];

function describeContext(context: ProcessContext) {
  const described: Record<string, string> = {
    'ignored signals': context.ignoredSignals.toString(16),
    'blocked signals': context.blockedSignals.toString(16),
    personality: context.personality.toString(16),
    niceness: String(context.niceness),
    processors: context.processors.map((word) => word.toString(16)).join(' ') || 'all',
    'host name': context.host,
    'domain name': context.domain,
  };
  for (const [number, [soft, hard]] of context.limits.entries()) {
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
  for (const [name, now] of Object.entries(is.others)) {
    const old = was.others[name] ?? 'unknown';
    if (old !== now) differences.push({ kind: 'other', name, was: old, is: now });
  }
  return differences.slice(0, maxDifferences);
}

/** Which of the observed paths have another state, or, if none has, which compare otherwise by age. */
export function compareStates(
  observations: readonly Observation[],
  was: readonly string[],
  is: readonly string[],
): Difference[] {
  const differences = observations.flatMap(({ path }, index) =>
    was[index] === is[index]
      ? []
      : [{ kind: 'path' as const, name: path, was: was[index] ?? 'unknown', is: is[index] ?? 'unknown' }],
  );
  return differences.length > 0 ? differences : compareAges(observations, was, is);
}

/** Behind the states stand the ranks of those that have one, see `ageRanks`. */
function compareAges(
  observations: readonly Observation[],
  was: readonly string[],
  is: readonly string[],
): Difference[] {
  const aged = observations.filter(({ flags }) => flags & (CountFlag.compared | CountFlag.aged));
  const ranks = (states: readonly string[]) => states.slice(observations.length).map(Number);
  const [before, now] = [ranks(was), ranks(is)];
  const differences: Difference[] = [];
  for (let i = 0; i < aged.length && differences.length < maxDifferences; i++) {
    if (before[i] === now[i]) continue;
    const other = aged.findIndex(
      (_, j) => Math.sign(before[i]! - before[j]!) !== Math.sign(now[i]! - now[j]!),
    );
    if (other < 0) continue;
    const tell = (order: readonly number[]) =>
      `${describeOrder(order[i]! - order[other]!)} "${aged[other]!.path}"`;
    differences.push({ kind: 'age', name: aged[i]!.path, was: tell(before), is: tell(now) });
  }
  return differences;
}

function describeOrder(difference: number): string {
  if (difference === 0) return 'as old as';
  return difference < 0 ? 'older than' : 'newer than';
}
