import type { CommandRecord } from '../protocol/build-log.ts';
import { printLines } from '../runtime/say.ts';
import type { Environment } from './command.ts';
import { takeOwnFlags } from './own-flags.ts';
import { readBuildLog } from './read-build-log.ts';

const help = `termite log [--root DIR] [--json]
Lists the commands of the last build: number, where it ran, time, key of its result, command.

  --root DIR  Root of the project (default: where a master runs, else the current folder)
  --json      One JSON object per command
  --help      Prints this
`;

export async function logCommand(argv: readonly string[], env: Environment): Promise<void> {
  const { flags } = takeOwnFlags(argv, {
    command: 'termite log',
    valued: ['root'],
    plain: ['json', 'help'],
  });
  if (flags.has('help')) return void process.stdout.write(help);
  const { commands } = readBuildLog(flags.get('root'), env);
  if (!flags.has('json')) return printLines(commands.map(showRecord));
  process.stdout.write(commands.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

function showRecord({ number, where, wallMs, key = '', line, rule }: CommandRecord): string {
  const shown = line.trim().split('\n', 1)[0]!.slice(0, 200);
  const why = rule?.reason === undefined ? '' : `  (${rule.reason})`;
  return `${`#${number}`.padEnd(6)} ${where.padEnd(9)} ${`${Math.round(wallMs)} ms`.padStart(9)}  ${key.slice(0, 12).padEnd(12)}  ${shown}${why}`;
}
