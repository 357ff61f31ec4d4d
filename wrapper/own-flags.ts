import { AppError } from '../runtime/app-error.ts';

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
