import { z } from 'zod';
import { listenAddressSchema } from '../runtime/listen-address.ts';

export const coordinatorConfigSchema = z.strictObject({
  listen: listenAddressSchema
    .default('127.0.0.1:1230')
    .describe('Where executors and masters find it, HOST:PORT; loopback only'),
});

export type CoordinatorConfig = z.infer<typeof coordinatorConfigSchema>;
