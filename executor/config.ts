import { z } from 'zod';
import { cacheSizeSchema } from '../runtime/cache-size.ts';
import { listenAddressSchema } from '../runtime/listen-address.ts';

/** What the command line may say; what it leaves out depends on the machine, see main.ts. */
export const executorConfigSchema = z.strictObject({
  coordinator: z
    .url({ protocol: /^https$/, error: 'expected a URL like https://HOST:PORT' })
    .optional()
    .describe('URL of the coordinator to report to; none: masters must be told of this executor'),
  listen: listenAddressSchema
    .default('127.0.0.1:0')
    .describe('Where masters reach it, HOST:PORT, port 0 for any; loopback only'),
  store: z
    .string()
    .min(1)
    .optional()
    .describe('Folder for content (default: the one that masters of this user have)'),
  cacheSizeMib: cacheSizeSchema,
  slots: z
    .number()
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('Jobs at the same time (default: one per processor)'),
  name: z
    .string()
    .regex(/^[\w.-]+$/, 'expected letters, digits and any of _.-')
    .optional()
    .describe('Under which it is listed (default: host name and process number)'),
  hostId: z
    .number()
    .int()
    .min(1)
    .max(2_000_000_000)
    .default(200_000)
    .describe('The uid and gid that jobs run as, outside their sandboxes, when it is started by root'),
  deadlineMs: z
    .number()
    .int()
    .nonnegative()
    .default(10_000)
    .describe('How many milliseconds jobs may still run after it was told to end'),
});

export type ExecutorConfig = z.infer<typeof executorConfigSchema>;
