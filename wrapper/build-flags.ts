import type { Check } from '../protocol/control.ts';
import { checkOf } from './check-flags.ts';
import { splitOwnFlags } from './own-flags.ts';

/** Termite's own flags in front of the command line of a build tool. */
export interface BuildFlags {
  root: string | undefined;
  isQuiet: boolean;
  check: Check | undefined;
  /** Where the compilation database is to be; empty: at its usual place. */
  compileCommands: string | undefined;
  /** The tool's own words. */
  rest: string[];
}

/** Without dashes. */
export const ownFlags: readonly string[] = ['root', 'quiet', 'verify', 'compile-commands'];

const synopsis = '[--root DIR] [--quiet] [--verify[=PERCENT]] [--compile-commands[=FILE]]';

const help = `
  --root DIR                 Root of the project: what commands may change (default: where a master runs, else the
                             current folder)
  --quiet                    Says nothing of its own but errors
  --verify[=PERCENT]         Runs commands, or so many percent of them, although their results are cached, and compares
  --compile-commands[=FILE]  Adds what the build compiles to a compilation database (default: compile_commands.json in
                             the root)
  --help                     Prints this

Environment: TERMITE_COORDINATOR: URL of a coordinator. TERMITE_REPORT: file to write a report to, as JSON.
`;

/**
 * The flags that all commands have that run a build.
 *
 * @param options for the help: `words` come behind the flags, `about` is a line that says what the command does
 * @returns undefined when help was asked for, and printed
 * @throws AppError `bad-arguments`
 */
export function parseBuildFlags(
  argv: readonly string[],
  { command, words, about }: { command: string; words: string; about: string },
): BuildFlags | undefined {
  const { flags, rest } = splitOwnFlags(argv, {
    ...{ command, valued: ['root'], plain: ['quiet', 'help'] },
    optional: ['verify', 'compile-commands'],
  });
  if (flags.has('help')) {
    process.stdout.write(`${command} ${synopsis} ${words}\n${about}\n${help}`);
    return undefined;
  }
  return {
    root: flags.get('root'),
    isQuiet: flags.has('quiet'),
    check: checkOf(flags, command),
    compileCommands: flags.get('compile-commands'),
    rest,
  };
}
