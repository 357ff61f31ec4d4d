import { z } from 'zod';
import { limitSchema } from '../runtime/limit.ts';

/** One thing that was not as in the nearest earlier run of a command. States as in master/path-state.ts. */
export const differenceSchema = z.strictObject({
  kind: z.enum(['path', 'age', 'system', 'environment', 'argument', 'umask', 'streams', 'other']),
  name: z.string(),
  was: z.string(),
  is: z.string(),
});

export type Difference = z.infer<typeof differenceSchema>;

/** How one command of a build went. */
export const commandRecordSchema = z.strictObject({
  /** From 1, in the order of beginning. */
  number: z.number().int(),
  line: z.string(),
  cwd: z.string(),
  where: z.enum(['running', 'cache', 'remote', 'local', 'cancelled']),
  /** Name of the executor that ran it. */
  executor: z.string().optional(),
  /** Why it ran locally, or why it was no hit. */
  reason: z.string().optional(),
  /** The user's rule that decided on it: its line in the file, and its `Reason`. */
  rule: z.strictObject({ line: z.number().int(), reason: z.string().optional() }).optional(),
  /** The limit of the sandbox for which it ran beside make. */
  limit: limitSchema.optional(),
  /** Why its result was not kept. */
  notStored: z.string().optional(),
  /** Strong fingerprint of its result. */
  key: z.string().optional(),
  hasFailed: z.boolean().optional(),
  /** Its result was compared with that of another run, and found so. */
  verdict: z.enum(['same', 'different']).optional(),
  /** From the question to the answer. */
  wallMs: z.number(),
  /** What a hit took when it was run. */
  savedMs: z.number().optional(),
  /** Project paths that it wrote, at most 100. */
  outputs: z.array(z.string()),
  differences: z.array(differenceSchema),
});

export type CommandRecord = z.infer<typeof commandRecordSchema>;

/** The commands of the last build of a project, as its master leaves them in a file. */
export const buildLogSchema = z.strictObject({
  version: z.literal(1),
  endedMs: z.number(),
  commands: z.array(commandRecordSchema),
});

export type BuildLog = z.infer<typeof buildLogSchema>;

/** Name of that file in the project's state folder. */
export const buildLogName = 'last-build.json';
