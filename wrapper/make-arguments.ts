/** What make's own command line says, as far as it concerns us. */
export interface MakeArguments {
  /** Of -C, in order: each is relative to the one before. */
  dirs: string[];
  /** Of -f, in order. */
  files: string[];
  /** Whether make is not to show its commands: `-s`. */
  isSilent: boolean;
  /** Whether the number of jobs is given, also "any number". */
  hasJobs: boolean;
  /** The last SHELL=…, as given. */
  shell?: string;
}

/** Options with a value, each with its long names. Source: main.c of GNU make 4.3 and 4.4.1, `switches`. */
const withValue = {
  C: ['directory'],
  f: ['file', 'makefile'],
  I: ['include-dir'],
  o: ['old-file', 'assume-old'],
  W: ['what-if', 'new-file', 'assume-new'],
  E: ['eval'],
} as const;

/** Long names of options whose value, if any, comes behind "="; for the first two also as a word that is a number. */
const optionalNumber = { j: ['jobs'], l: ['load-average', 'max-load'] } as const;

type Option = keyof typeof withValue | keyof typeof optionalNumber;

const longNames = new Map<string, Option>(
  Object.entries({ ...withValue, ...optionalNumber }).flatMap(([letter, names]) =>
    names.map((name) => [name, letter as Option] as const),
  ),
);

const shellAssignment = /^SHELL[ \t]*(?::{0,3}|[?+!])=[ \t]*(?<value>.*)$/s;

/**
 * Reads make's arguments as make does: single letters in one word, values in the same or the next word, `-j4`, `-j 4`,
 * `-j`, long names also abbreviated.
 */
export function parseMakeArguments(args: readonly string[]): MakeArguments {
  const result: MakeArguments = { dirs: [], files: [], isSilent: false, hasJobs: false };
  const take = (option: Option, value: string | undefined) => {
    if (option === 'j') result.hasJobs = true;
    else if (option === 'C' && value !== undefined) result.dirs.push(value);
    else if (option === 'f' && value !== undefined) result.files.push(value);
  };

  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    const next = args[i + 1];
    if (word === '--') {
      for (const rest of args.slice(i + 1)) takeOperand(result, rest);
      break;
    }
    if (word.startsWith('--')) {
      const [name = '', inline] = splitOnce(word.slice(2), '=');
      if (/^si|^qui/.test(name)) result.isSilent = true;
      const option = findLong(name);
      if (!option) continue;
      const wantsNext = inline === undefined && (option in withValue || isCount(option, next));
      take(option, wantsNext ? next : inline);
      if (wantsNext) i += 1;
    } else if (word.startsWith('-') && word.length > 1) {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at]!;
        const rest = word.slice(at + 1);
        if (letter === 's') result.isSilent = true;
        if (letter in withValue) {
          take(letter as Option, rest === '' ? next : rest);
          if (rest === '') i += 1;
          break;
        }
        if (letter in optionalNumber || letter === 'O') {
          // A value in the same word; for -j and -l only if it is a number: "-jk" is -j and -k.
          const value = letter === 'O' ? rest : (/^[\d.]+/.exec(rest)?.[0] ?? '');
          const wantsNext = rest === '' && letter !== 'O' && isCount(letter as Option, next);
          if (letter !== 'O') take(letter as Option, value);
          at += value.length;
          if (wantsNext) i += 1;
        }
      }
    } else {
      takeOperand(result, word);
    }
  }
  return result;
}

/** All other long options. Source: as above. */
const plainNames = [
  ...[
    'always-make',
    'debug',
    'environment-overrides',
    'help',
    'ignore-errors',
    'keep-going',
    'check-symlink-times',
  ],
  ...['just-print', 'dry-run', 'recon', 'output-sync', 'print-data-base', 'question', 'no-builtin-rules'],
  ...[
    'no-builtin-variables',
    'silent',
    'quiet',
    'no-silent',
    'no-keep-going',
    'stop',
    'touch',
    'trace',
    'version',
  ],
  ...['print-directory', 'no-print-directory', 'warn-undefined-variables', 'shuffle', 'jobserver-style'],
  ...['jobserver-auth', 'jobserver-fds', 'sync-mutex', 'temp-stdin'],
];

/** Long options, without dashes and values, that make does not know, not even abbreviated. */
export function unknownFlags(args: readonly string[]): string[] {
  const names = [...longNames.keys(), ...plainNames];
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end))
    .flatMap((word) => /^--(?<name>[^=]+)/.exec(word)?.groups?.['name'] ?? [])
    .filter((typed) => !names.some((name) => name.startsWith(typed)));
}

/** Whether the environment gives make a number of jobs, or a jobserver to get them from. */
export function hasJobsInEnvironment(env: Readonly<Record<string, string | undefined>>): boolean {
  return ['MAKEFLAGS', 'GNUMAKEFLAGS'].some((name) => {
    const words = (env[name] ?? '').split(/[ \t]+/).filter((word) => word !== '');
    const [first, ...rest] = words;
    if (first === undefined) return false;
    // The first word may be letters without a dash.
    const isLetters = !first.startsWith('-') && !first.includes('=') && !env[name]!.startsWith(' ');
    const options = isLetters ? [`-${first}`, ...rest] : words;
    const end = options.indexOf('--');
    const own = end < 0 ? options : options.slice(0, end);
    return own.some((word) => word.startsWith('--jobserver-')) || parseMakeArguments(own).hasJobs;
  });
}

function takeOperand(result: MakeArguments, word: string): void {
  const value = shellAssignment.exec(word)?.groups?.['value'];
  if (value !== undefined) result.shell = value;
}

/** getopt_long takes any abbreviation that is not ambiguous. */
function findLong(name: string): Option | undefined {
  const exact = longNames.get(name);
  if (exact || name.length < 2) return exact;
  const found = [...longNames].filter(([long]) => long.startsWith(name)).map(([, option]) => option);
  return new Set(found).size === 1 ? found[0] : undefined;
}

function isCount(option: Option, word: string | undefined): boolean {
  if (option === 'j') return /^\d+$/.test(word ?? '');
  return option === 'l' && /^[\d.]/.test(word ?? '');
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
