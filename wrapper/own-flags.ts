import { AppError } from '../runtime/app-error.ts';

/**
 * Takes our own flags off the front of a command line, up to the first word that is none of them.
 *
 * @param optional flags with a value only behind `=`; without one it is empty
 * @throws AppError `bad-arguments` for a flag that lacks its value
 */
export function splitOwnFlags(
  argv: readonly string[],
  {
    command,
    valued,
    plain,
    optional = [],
  }: {
    command: string;
    valued: readonly string[];
    plain: readonly string[];
    optional?: readonly string[];
  },
): { flags: Map<string, string>; rest: string[] } {
  const flags = new Map<string, string>();
  let i = 0;
  for (; i < argv.length; i++) {
    const [, name = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argv[i]!) ?? [];
    if (optional.includes(name) || (plain.includes(name) && inline === undefined)) {
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
