/** What ninja's own command line says, as far as it concerns us. */
export interface NinjaArguments {
  /** Of the last -C. */
  dir: string;
  hasJobs: boolean;
  /** Whether commands will be run: not for subtools and questions. */
  isBuild: boolean;
}

/** Letters of options with a value. Source: ReadFlags in ninja.cc of ninja 1.11 and 1.13; main in samu.c of samurai 1.2. */
const withValue = 'dfjklwC';

/** Reads ninja's arguments as getopt does: single letters in one word, values in the same or the next one. */
export function parseNinjaArguments(args: readonly string[]): NinjaArguments {
  const result: NinjaArguments = { dir: '.', hasJobs: false, isBuild: true };
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === '--') break;
    if (word === '--version' || word === '--help') result.isBuild = false;
    if (!/^-[^-]/.test(word)) continue;
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      if (letter === 'h') result.isBuild = false;
      if (letter === 't') {
        // What follows are the subtool's own.
        result.isBuild = false;
        return result;
      }
      if (!withValue.includes(letter)) continue;
      const value = word.slice(at + 1) || (args[++i] ?? '');
      if (letter === 'j') result.hasJobs = true;
      if (letter === 'C') result.dir = value;
      break;
    }
  }
  return result;
}
