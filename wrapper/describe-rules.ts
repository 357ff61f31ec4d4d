import type { BuiltInRule, LocalReason, LocalRule, Placement, Treatment } from '../master/master-client.ts';
import { describeLimit, type Limit } from '../runtime/limit.ts';

const reasons: Readonly<Record<Exclude<LocalReason, 'rule'> | 'default', string>> = {
  default: 'no rule says otherwise',
  recursive: 'built in: a make takes part in the build by itself',
  'build-tool': 'built in: a build tool costs less here',
  trivial: 'built in: it takes less time than a sandbox takes to start',
  background: 'built in: it leaves something running',
  privilege: 'built in: it needs powers that no sandbox gives',
  lock: 'built in: it locks files, or waits for those of other commands',
  'outside-root': 'built in: the current folder is outside of the project',
};

/**
 * Why a command runs where it runs: lines of text.
 *
 * @param path of the user's rules
 * @param matching all of the user's rules that match
 * @param limit of the sandbox, which the command reached in the last build
 */
export function describePlacement(
  { where, rule, reason, treatment, ...rest }: Placement,
  { path, matching, limit }: { path: string; matching: readonly LocalRule[]; limit?: Limit | undefined },
): string[] {
  const isRecursive = 'isRecursive' in rest && rest.isRecursive;
  const others = matching.filter((other) => other !== rule).map(({ line }) => line);
  const asked = rule && `${path}, line ${rule.line}: ${rule.source}`;
  return table([
    ['runs', describeWhere(where, isRecursive)],
    ['because', reason === 'rule' ? asked! : reasons[reason]],
    ...(asked === undefined || reason === 'rule' ? [] : [['and how', asked]]),
    ...(rule?.reason === undefined ? [] : [['reason', rule.reason]]),
    ...(others.length === 0 ? [] : [['not asked', `line ${others.join(', ')}, which would match too`]]),
    ...(limit && where === 'remote' ? [['but locally', `in the last build it ${describeLimit(limit)}`]] : []),
    ...describeTreatment(where, treatment),
  ]);
}

/** All rules in the order in which they are asked: lines of text. */
export function listRules(rules: readonly LocalRule[], builtIn: readonly BuiltInRule[]): string[] {
  const here = describeWhere('local', false);
  return table([
    ['built in', 'outside of the project', here],
    ...rules.map((rule) => [`line ${rule.line}`, rule.source, describeRule(rule)]),
    ['built in', '$(MAKE) in the makefile', describeWhere('local', true)],
    ['built in', '"+" in the makefile', here],
    ...builtIn.map(({ programs, needsAll, takesPart = false }) => [
      'built in',
      `${needsAll ? 'nothing but ' : ''}${programs.join(', ')}`,
      describeWhere('local', takesPart),
    ]),
    ['built in', 'what is started with "&" and not waited for', here],
    ['built in', 'everything else', describeWhere('remote', false)],
  ]);
}

function describeRule({ isLocal, isRecursive, treatment, reason }: LocalRule): string {
  const where = isLocal ? 'local' : 'remote';
  const place = isLocal === undefined ? 'where it would run anyway' : describeWhere(where, isRecursive);
  const treatments = describeTreatment(where, treatment).map(([name, value]) => `${name}: ${value}`);
  const how = [place, ...treatments].join('; ');
  return reason === undefined ? how : `${how} (${reason})`;
}

function describeWhere(where: Placement['where'], isRecursive: boolean): string {
  if (where === 'remote') return 'on an executor';
  return isRecursive ? 'locally, and what it starts takes part in the build' : 'locally';
}

const caching = { none: 'never', successes: 'unless it fails', failures: 'also when it fails' } as const;

/** Name and value of all that can be said. */
function describeTreatment(
  where: Placement['where'],
  { cache, hasNetwork, timeoutMs, hasEmptyStdin, env, slotCount }: Treatment,
): string[][] {
  const variables = [
    ...env.ignored.map((name) => `${name} does not count`),
    ...env.counted.map((name) => `${name} counts`),
    ...env.unset.map((name) => `without ${name}`),
    ...Object.entries(env.set).map(([name, value]) => `${name}=${value}`),
  ];
  const isRemote = where === 'remote';
  return [
    ...(isRemote ? [['result kept', caching[cache]]] : []),
    ...(isRemote && hasNetwork ? [['network', 'that of the executor']] : []),
    ...(isRemote && timeoutMs > 0 ? [['timeout', `after ${timeoutMs / 1000} s it is run locally`]] : []),
    ...(hasEmptyStdin ? [['stdin', 'empty']] : []),
    ...(variables.length > 0 ? [['variables', variables.join(', ')]] : []),
    ...(isRemote && slotCount > 1 ? [['slots', String(slotCount)]] : []),
  ];
}

/** Columns two blanks apart. */
function table(rows: readonly string[][]): string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, column) => Math.max(known[column] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
