import { z } from 'zod';

/** Where another process listens. */
export const urlSchema = z.url({ protocol: /^https$/ }).max(2048);
const countSchema = z.number().int().nonnegative().max(1_000_000);

/** What an executor tells the coordinator about itself, every two seconds. */
export const executorInfoSchema = z.strictObject({
  /** Unique among the executors of a coordinator. */
  name: z.string().regex(/^[\w.-]{1,255}$/),
  /** Where it listens. */
  url: urlSchema,
  slots: countSchema.min(1),
  /** Slots without a job just now. */
  free: countSchema,
  /** Jobs that wait for a slot. */
  waiting: countSchema,
});

export type ExecutorInfo = z.infer<typeof executorInfoSchema>;
