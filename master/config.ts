import { z } from 'zod';
import { cacheSizeSchema } from '../runtime/cache-size.ts';
import { listenAddressSchema } from '../runtime/listen-address.ts';
import { parseConfig } from '../runtime/load-config.ts';
import { socketName } from './socket-path.ts';

const defaultIdleSeconds = 300;
const maxIdleSeconds = 7 * 24 * 3600;

const coordinatorSchema = z.url({ protocol: /^https$/, error: 'expected a URL like https://HOST:PORT' });

/** What the command line may say; what it leaves out depends on the environment and the machine, see main.ts. */
export const masterConfigSchema = z.strictObject({
  root: z.string().min(1).optional().describe('Root of the project (default: the current folder)'),
  coordinator: coordinatorSchema
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
  socketInProject: z
    .boolean()
    .default(false)
    .describe(`Be found by ${socketName} in the root, too, where other homes or cache folders are in use`),
  untilIdle: z.boolean().default(false).describe('End when no build needs it any more'),
  idleSeconds: z
    .number()
    .int()
    .min(0)
    .max(maxIdleSeconds)
    .optional()
    .describe(
      `With --until-idle: how long to wait for the next build (default: $TERMITE_IDLE_SECONDS, else ${defaultIdleSeconds})`,
    ),
});

export type MasterConfig = z.infer<typeof masterConfigSchema>;

type Environment = Readonly<Record<string, string | undefined>>;

const idleSchema = z.coerce.number().int().min(0).max(maxIdleSeconds).default(defaultIdleSeconds);

/** As everywhere, an empty variable is none. @throws AppError `bad-configuration` naming the variable */
function fromEnvironment<S extends z.ZodType>(schema: S, name: string, env: Environment): z.output<S> {
  const parsed = parseConfig(
    z.object({ [name]: schema }),
    { [name]: env[name] || undefined },
    'the environment',
  );
  return parsed[name] as z.output<S>;
}

/** undefined when there is none. @throws AppError `bad-configuration` for a variable that is no URL */
export function coordinatorUrl(env: Environment): string | undefined {
  return fromEnvironment(coordinatorSchema.optional(), 'TERMITE_COORDINATOR', env);
}

/**
 * How long a master waits for the next build, in milliseconds; 0: it ends with its last one, or with a signal.
 *
 * @throws AppError `bad-configuration` for a variable that is no such number
 */
export function idleMs({ untilIdle, idleSeconds }: MasterConfig, env: Environment): number {
  if (!untilIdle) return 0;
  return (idleSeconds ?? fromEnvironment(idleSchema, 'TERMITE_IDLE_SECONDS', env)) * 1000;
}
