import { AppError } from '../runtime/app-error.ts';
import { nearest } from '../runtime/nearest.ts';

/**
 * Takes our own flags off the front of a command line, up to the first word that is none of them.
 *
 * @param options `valued` flags have a value, `optional` ones may have one behind "=", `plain` ones have none
 * @throws AppError `bad-arguments` for a flag that lacks its value
 */
export function splitOwnFlags(
  argv: readonly string[],
  options: {
    command: string;
    valued: readonly string[];
    optional?: readonly string[];
    plain: readonly string[];
  },
): { flags: Map<string, string>; rest: string[] } {
  const { command, valued, optional = [], plain } = options;
  const flags = new Map<string, string>();
  let i = 0;
  for (; i < argv.length; i++) {
    const [, name = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argv[i]!) ?? [];
    if (plain.includes(name) && inline === undefined) {
      flags.set(name, '');
    } else if (optional.includes(name)) {
      flags.set(name, inline ?? '');
    } else if (valued.includes(name)) {
      if (inline === undefined) i += 1;
      const value = inline ?? argv[i];
      if (!value)
        throw new AppError(`"${command}": --${name} needs a value`, {
          code: 'bad-arguments',
          category: 'caller',
          hint: `See "${command} --help"`,
        });
      flags.set(name, value);
    } else {
      break;
    }
  }
  return { flags, rest: argv.slice(i) };
}

/**
 * The same for commands that take no further words, or at most so many, none of which begins with a dash.
 *
 * @throws AppError `bad-arguments` for anything else
 */
export function takeOwnFlags(
  argv: readonly string[],
  options: Parameters<typeof splitOwnFlags>[1] & { maxWords?: number },
): { flags: Map<string, string>; rest: string[] } {
  const { command, valued, optional = [], plain, maxWords = 0 } = options;
  const { flags, rest } = splitOwnFlags(argv, options);
  const flag = rest.find((word) => word.startsWith('-'));
  const surplus = flag ?? rest[maxWords];
  if (surplus === undefined) return { flags, rest };
  const meant = flag && nearest(flag.replace(/^-+|=.*$/gs, ''), [...valued, ...optional, ...plain]);
  throw new AppError(`"${command}" does not know "${surplus}"`, {
    ...{ code: 'bad-arguments', category: 'caller' },
    hint: `${meant ? `Did you mean "--${meant}"? ` : ''}See "${command} --help"`,
  });
}
