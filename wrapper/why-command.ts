import type { CommandRecord, Difference } from '../protocol/build-log.ts';
import { AppError } from '../runtime/app-error.ts';
import { describeLimit } from '../runtime/limit.ts';
import { printLines } from '../runtime/say.ts';
import type { Environment } from './command.ts';
import { missReasons } from './miss-reasons.ts';
import { takeOwnFlags } from './own-flags.ts';
import { readBuildLog } from './read-build-log.ts';
import { summarizeReasons } from './summarize-reasons.ts';

const help = `termite why [--root DIR] [TARGET|#N|--last|--summary]
Tells for a command of the last build where it ran and, if it ran, what differed from the nearest earlier run.

  TARGET      A file that it wrote, or a part of the command line
  #N          The command with that number in "termite log"
  --last      The last command (default)
  --summary   All commands of the build, grouped by where they ran, and by what differed
  --root DIR  Root of the project (default: where a master runs, else the current folder)
  --help      Prints this
`;

export async function whyCommand(argv: readonly string[], env: Environment): Promise<void> {
  const { flags, rest } = takeOwnFlags(argv, {
    maxWords: 1,
    ...{ command: 'termite why', valued: ['root'], plain: ['last', 'summary', 'help'] },
  });
  if (flags.has('help')) return void process.stdout.write(help);
  const { commands } = readBuildLog(flags.get('root'), env);
  if (flags.has('summary')) return printLines(summarizeReasons(commands));
  const record = find(commands, rest[0]);
  if (!record) {
    throw new AppError(`No command of the last build fits "${rest[0] ?? '--last'}"`, {
      ...{ code: 'no-command', category: 'caller', hint: 'See "termite log"' },
    });
  }
  printLines(explain(record));
}

function find(commands: readonly CommandRecord[], wanted: string | undefined): CommandRecord | undefined {
  if (wanted === undefined) return commands.at(-1);
  const [, number] = /^#?(\d+)$/.exec(wanted) ?? [];
  if (number !== undefined) return commands[Number(number) - 1];
  const file = wanted.replace(/^(?:\.\/+)+/, '');
  return (
    commands.findLast(({ outputs }) => outputs.includes(file)) ??
    commands.findLast(({ outputs }) => outputs.some((path) => path.endsWith(`/${file}`))) ??
    commands.findLast(({ line }) => line.includes(wanted))
  );
}

const notStoredReasons: Readonly<Record<string, string>> = {
  failed: 'it failed',
  'stdin-read': 'it read standard input',
  rule: 'a rule says so',
  network: 'it was allowed to use the network',
  'out-of-memory': 'a process was killed for want of memory while it ran',
  'no-trace': 'the executor could not tell what it looked at, or that was too much',
  'system-changed': 'something outside the project changed while it ran',
  'basis-gone': 'the project as it was when it began is not known any more',
  'content-missing': 'not all of its outputs are in the store',
  quarantined: 'an earlier run on the same inputs did something else',
};

/** The lines that answer the question. */
export function explain(record: CommandRecord): string[] {
  const { number, line, where, reason, rule, notStored, executor, wallMs, savedMs, differences, limit } =
    record;
  const lines = [`#${number} ${line.trim()}`];
  const took = `${Math.round(wallMs)} ms`;
  if (where === 'cache') {
    lines.push(
      `from cache, in ${took} instead of ${Math.round(savedMs ?? 0)} ms: all that it looks at is unchanged`,
    );
  } else if (where === 'remote') {
    lines.push(`run by ${executor ?? 'an executor'}, in ${took}`);
    if (reason !== undefined) lines.push(`not from cache: ${missReasons[reason] ?? reason}`);
    for (const difference of differences) lines.push(`  ${showDifference(difference)}`);
  } else {
    lines.push(`${where}${reason === undefined ? '' : `: ${reason}`}, in ${took}`);
    if (limit) lines.push(`not in a sandbox: there it ${describeLimit(limit)}`);
  }
  if (rule) lines.push(`by the rule in line ${rule.line}${rule.reason ? `: ${rule.reason}` : ''}`);
  if (record.verdict === 'same') lines.push('its result was checked: another run gave the same');
  if (record.verdict === 'different') lines.push('its result was checked: another run gave a different one');
  if (notStored !== undefined)
    lines.push(`its result is not kept: ${notStoredReasons[notStored] ?? notStored}`);
  return lines;
}

function showDifference({ kind, name, was, is }: Difference): string {
  switch (kind) {
    case 'path':
    case 'system':
      return `"${name}" was ${showState(was)}, now ${showState(is)}`;
    case 'environment':
      return `variable ${name} was ${was}, now ${is}`;
    case 'argument':
      return is === '' ? `argument "${was}" is gone` : `argument "${is}" is new`;
    case 'umask':
    case 'other':
      return `${name} was ${was}, now ${is}`;
    case 'age':
      return `"${name}" was ${was}, now ${is}`;
    case 'streams':
      return `${name} were ${was}, now ${is}`;
  }
}

/** See master/path-state.ts. */
function showState(state: string): string {
  const [kind, mode, ...rest] = state.split(' ');
  const bits = () => Number(mode).toString(8).padStart(4, '0');
  const time = rest.find((part) => part.startsWith('@'));
  const when = time === undefined ? '' : ` of ${new Date(Number(time.slice(1)) / 1e6).toISOString()}`;
  const age = `${when}${rest.includes('future') ? ', newer than now' : ''}`;
  const names = rest.find((part) => part.length === 64);
  switch (kind) {
    case 'absent':
      return 'absent';
    case 'f':
      if (names) return `a file with mode ${bits()} and content ${names.slice(0, 12)}${age}`;
      return `${rest[0] === 'empty' ? 'an empty file' : 'a file'} with mode ${bits()}${age}`;
    case 'd':
      return `a folder with mode ${bits()}${names ? ` and the names ${names.slice(0, 12)}` : ''}${age}`;
    case 'l':
      return `a link to "${state.slice(2)}"`;
    case 'p':
      return `a FIFO with mode ${bits()}`;
    default:
      return state;
  }
}
