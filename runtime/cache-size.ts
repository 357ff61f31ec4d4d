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
  .describe(`MiB that all content may take up (default: $TERMITE_CACHE_MIB, else ${defaultMib})`);

const environmentSchema = z.object({
  TERMITE_CACHE_MIB: z.coerce.number().int().min(1).max(maxMib).default(defaultMib),
});

/**
 * How large a store may be, in bytes.
 *
 * @param flagMib what the command line says
 * @throws AppError `bad-configuration` for a variable that is no such number
 */
export function cacheSizeBytes(
  flagMib: number | undefined,
  env: Readonly<Record<string, string | undefined>>,
): number {
  // As everywhere, an empty variable is none.
  const given = env['TERMITE_CACHE_MIB'] || undefined;
  const { TERMITE_CACHE_MIB } = parseConfig(
    environmentSchema,
    { TERMITE_CACHE_MIB: given },
    'the environment',
  );
  return (flagMib ?? TERMITE_CACHE_MIB) * 2 ** 20;
}
