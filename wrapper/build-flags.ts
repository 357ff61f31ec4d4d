import { splitOwnFlags } from './own-flags.ts';

/** Termite's own flags in front of the command line of a build tool. */
export interface BuildFlags {
  root: string | undefined;
  isQuiet: boolean;
  /** The tool's own words. */
  rest: string[];
}

const help = `
  --root DIR  Root of the project: what commands may change (default: where a master runs, else the current folder)
  --quiet     Says nothing of its own but errors
  --help      Prints this

Environment: TERMITE_COORDINATOR: URL of a coordinator. TERMITE_REPORT: file to write a report to, as JSON.
`;

/**
 * The flags that all commands have that run a build.
 *
 * @param options for the help: `words` come behind the flags, `about` is a line that says what the command does
 * @returns undefined when help was asked for, and printed
 */
export function parseBuildFlags(
  argv: readonly string[],
  { command, words, about }: { command: string; words: string; about: string },
): BuildFlags | undefined {
  const { flags, rest } = splitOwnFlags(argv, { command, valued: ['root'], plain: ['quiet', 'help'] });
  if (flags.has('help')) {
    process.stdout.write(`${command} [--root DIR] [--quiet] ${words}\n${about}\n${help}`);
    return undefined;
  }
  return { root: flags.get('root'), isQuiet: flags.has('quiet'), rest };
}
