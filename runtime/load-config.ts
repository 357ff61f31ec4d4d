import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { AppError } from './app-error.ts';

/**
 * Parses a configuration against a strict schema.
 *
 * @param source where the values came from, for messages: a file path, or "command line"
 * @throws AppError `bad-configuration` naming the source, each key path, and what was wanted and got
 */
export function parseConfig<S extends z.ZodType>(schema: S, values: unknown, source: string): z.output<S> {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const path = issue.path.map(String).join('.') || '(top level)';
    const got =
      issue.code === 'unrecognized_keys'
        ? ''
        : ` (current value: ${JSON.stringify(valueAt(values, issue.path))})`;
    return `${path}: ${issue.message}${got}`;
  });
  throw new AppError(`Cannot use configuration from ${source}: ${problems.join('; ')}`, {
    code: 'bad-configuration',
    category: 'caller',
    data: { source, problems },
  });
}

/** Reads and parses a JSON file; the same errors as `parseConfig`, also for files that are no JSON. */
export function loadConfig<S extends z.ZodType>(schema: S, path: string): z.output<S> {
  let values: unknown;
  try {
    values = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError(`Cannot read configuration "${path}"`, {
      code: 'bad-configuration',
      category: 'caller',
      cause,
    });
  }
  return parseConfig(schema, values, `"${path}"`);
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    values,
  );
}
