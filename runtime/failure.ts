import { z } from 'zod';
import { exhaustive } from './exhaustive.ts';
import { describeLimit, limitSchema } from './limit.ts';

/** Of whatever length it came. */
const message = z.string().transform((text) => text.slice(0, 4_000));
const executor = z.string().max(255);
const digest = z.string().max(255);

/** Why a job gave no result although nothing is wrong with the command: the closed list of expected failures. */
export const failureSchema = z.discriminatedUnion('reason', [
  /** The sandbox could not be set up or broke down. */
  z.strictObject({ reason: z.literal('sandbox'), message }),
  /** The executor cannot be reached, or went away in mid-job. */
  z.strictObject({ reason: z.literal('executor-lost'), executor, message }),
  /** The executor has no space left. */
  z.strictObject({ reason: z.literal('disk-full'), executor }),
  /** Content that the job needs, or made, cannot be had under its digest. */
  z.strictObject({ reason: z.literal('content-missing'), digest }),
  /** No executor is alive, or none has answered. */
  z.strictObject({ reason: z.literal('no-executor') }),
  /** What the command changed was changed by somebody else while it ran. */
  z.strictObject({ reason: z.literal('conflict'), path: z.string().max(64 * 1024) }),
  /** The command reached a limit of the sandbox: what it did there may not be what it does here. */
  z.strictObject({ reason: z.literal('limit'), limit: limitSchema }),
  /** The command wants to read from the caller's terminal, and then to be on it. */
  z.strictObject({ reason: z.literal('terminal') }),
  /** It ran longer than its rule allows. */
  z.strictObject({ reason: z.literal('timed-out'), timeoutMs: z.number().nonnegative() }),
  /** Whoever asked for it is gone or changed their mind. */
  z.strictObject({ reason: z.literal('cancelled') }),
]);

export type Failure = z.infer<typeof failureSchema>;

export type Result<T, E = Failure> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: E };

export const succeed = <T>(value: T): Result<T, never> => ({ ok: true, value });
export const fail = <E>(failure: E): Result<never, E> => ({ ok: false, failure });

/** One sentence for people, without full stop. */
export function describeFailure(failure: Failure): string {
  switch (failure.reason) {
    case 'sandbox':
      return `the sandbox failed: ${failure.message}`;
    case 'executor-lost':
      return `executor ${failure.executor} was lost: ${failure.message}`;
    case 'disk-full':
      return `executor ${failure.executor} has no space left`;
    case 'content-missing':
      return `the content ${failure.digest} is not to be had`;
    case 'no-executor':
      return 'no executor is alive';
    case 'conflict':
      return `"${failure.path}" was changed by another command meanwhile`;
    case 'limit':
      return `it ${describeLimit(failure.limit)}`;
    case 'terminal':
      return 'it reads from the terminal';
    case 'timed-out':
      return `it ran longer than ${failure.timeoutMs} ms`;
    case 'cancelled':
      return 'it was cancelled';
    default:
      return exhaustive(failure);
  }
}
