import { z } from 'zod';

/** What an executor tells the coordinator about itself, every two seconds. */
export const executorInfoSchema = z.strictObject({
  /** Unique among the executors of a coordinator. */
  name: z.string().regex(/^[\w.-]+$/),
  /** Where it listens. */
  url: z.url({ protocol: /^https?$/ }),
  slots: z.number().int().positive(),
  /** Slots without a job just now. */
  free: z.number().int().nonnegative(),
  /** Jobs that wait for a slot. */
  waiting: z.number().int().nonnegative(),
});

export type ExecutorInfo = z.infer<typeof executorInfoSchema>;
