import { parseArgs } from 'node:util';
import { z } from 'zod';
import { AppError } from './app-error.ts';
import { parseConfig } from './load-config.ts';

export interface FlagsOptions<S extends z.ZodObject> {
  /** As the user types it: `termite executor`. */
  command: string;
  /** One sentence for --help. */
  summary: string;
  /** Flat: strings, numbers, booleans, enumerations, and arrays of strings (a flag that may be repeated). */
  schema: S;
}

export type Flags<T> = { kind: 'help'; text: string } | { kind: 'values'; values: T };

interface Property {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
}

/**
 * Parses a command line against a strict schema: the key `cacheDir` is the flag `--cache-dir`, a boolean that is true
 * by default is switched off by `--no-…`. Help is made from the descriptions and defaults of the schema.
 *
 * @param argv without node and script
 * @throws AppError `bad-configuration` (category caller) naming the flag, what was wanted and what was given
 */
export function parseFlags<S extends z.ZodObject>(
  argv: readonly string[],
  { command, summary, schema }: FlagsOptions<S>,
): Flags<z.output<S>> {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as {
    properties?: Record<string, Property>;
    required?: string[];
  };
  const keys = Object.keys(properties);
  const keyOf = new Map(keys.map((key) => [flagName(key, properties[key]!), key]));
  const options = Object.fromEntries(
    [...keyOf].map(([flag, key]) => [
      flag,
      {
        type: properties[key]!.type === 'boolean' ? ('boolean' as const) : ('string' as const),
        multiple: properties[key]!.type === 'array',
      },
    ]),
  );
  let given: ReturnType<typeof parseArgs>['values'];
  try {
    given = parseArgs({
      args: [...argv],
      strict: true,
      options: { ...options, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (cause) {
    throw new AppError(`Cannot run "${command}": ${firstSentence(cause)}`, {
      code: 'bad-configuration',
      category: 'caller',
      hint: `See "${command} --help"`,
    });
  }
  if (given['help']) return { kind: 'help', text: helpText() };
  const values: Record<string, unknown> = {};
  for (const [flag, value] of Object.entries(given)) {
    const key = keyOf.get(flag)!;
    values[key] = parseValue(value, properties[key]!);
  }
  return { kind: 'values', values: parseConfig(schema, values, `the command line of "${command}"`) };

  function helpText(): string {
    const rows = [...keyOf].map(([flag, key]) => {
      const property = properties[key]!;
      const placeholder = property.type === 'boolean' ? '' : ` ${placeholderOf(key, property)}`;
      const notes = [
        ...(required.includes(key) ? ['required'] : []),
        ...(isWorthTelling(property.default) ? [`default: ${property.default}`] : []),
      ];
      return [
        `  --${flag}${placeholder}`,
        `${property.description ?? ''}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`,
      ] as const;
    });
    rows.push(['  --help', 'Prints this']);
    const width = Math.max(...rows.map(([flag]) => flag.length)) + 2;
    return [
      `${command} [flags]`,
      summary,
      '',
      ...rows.map(([flag, text]) => flag.padEnd(width) + text),
      '',
    ].join('\n');
  }
}

function flagName(key: string, property: Property): string {
  const kebab = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return property.type === 'boolean' && property.default === true ? `no-${kebab}` : kebab;
}

/** A switch is off and a list is empty unless told. */
function isWorthTelling(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function placeholderOf(key: string, property: Property): string {
  if (property.enum) return property.enum.join('|');
  if (property.type === 'number' || property.type === 'integer') return 'N';
  return key.replace(/.*(?=[A-Z])/, '').toUpperCase();
}

/** What is no number stays text, so that the schema's complaint shows it. */
function parseValue(value: unknown, property: Property): unknown {
  if (property.type === 'boolean') return property.default !== true;
  if (property.type !== 'number' && property.type !== 'integer') return value;
  const number = Number(value);
  return value === '' || Number.isNaN(number) ? value : number;
}

/** Node's messages go on with advice about positional arguments that does not apply. */
function firstSentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const sentence = message.split('. ')[0]!.replace(/\.$/, '').replaceAll("'", '"');
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
