import { z } from 'zod';
import { parseConfig } from './load-config.ts';

const defaultMib = 20 * 1024;
const maxMib = 2 ** 30;

/** A flag of the processes that have a store. */
export const cacheSizeSchema = z
  .number()
  .int()
  .min(1)
  .max(maxMib)
  .optional()
  .describe(`MiB that all content may take up (default: $TERMITE_CACHE_SIZE_MIB, else ${defaultMib})`);

const variableSchema = z.strictObject({ TERMITE_CACHE_SIZE_MIB: z.coerce.number().int().min(1).max(maxMib) });

/**
 * How large a store may be, in bytes.
 *
 * @throws AppError `bad-configuration` for a variable that is no such number
 */
export function cacheSizeBytes(
  flagMib: number | undefined,
  env: Readonly<Record<string, string | undefined>>,
): number {
  const variable = env['TERMITE_CACHE_SIZE_MIB'];
  const given =
    flagMib === undefined && variable
      ? parseConfig(variableSchema, { TERMITE_CACHE_SIZE_MIB: variable }, 'the environment')
          .TERMITE_CACHE_SIZE_MIB
      : flagMib;
  return (given ?? defaultMib) * 2 ** 20;
}
