import { z } from 'zod';
import { cacheSizeSchema } from '../runtime/cache-size.ts';
import { listenAddressSchema } from '../runtime/listen-address.ts';

/** What the command line may say; what it leaves out depends on the environment and the machine, see main.ts. */
export const masterConfigSchema = z.strictObject({
  root: z.string().min(1).optional().describe('Root of the project (default: the current folder)'),
  coordinator: z
    .url({ protocol: /^http$/ })
    .optional()
    .describe('URL of the coordinator that lists further executors (default: $TERMITE_COORDINATOR)'),
  slots: z
    .number()
    .int()
    .min(0)
    .max(1024)
    .optional()
    .describe(
      'Jobs at the same time in this process; 0: none (default: one per processor, none with a coordinator)',
    ),
  listen: listenAddressSchema
    .default('127.0.0.1:0')
    .describe('Where executors of a coordinator get content from, HOST:PORT, port 0 for any; loopback only'),
  cacheSizeMib: cacheSizeSchema,
  untilIdle: z.boolean().default(false).describe('End when the last build has ended'),
});

export type MasterConfig = z.infer<typeof masterConfigSchema>;
