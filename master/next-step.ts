import { exhaustive } from '../runtime/exhaustive.ts';
import type { Failure } from '../runtime/failure.ts';

/** What has gone wrong with one command so far. */
export interface Attempts {
  /** Failures of executors. */
  retries: number;
  conflicts: number;
}

export type NextStep =
  | { step: 'again' }
  /** `isFallback`: it runs locally only because we failed, not because of what it is. */
  | { step: 'local'; reason: string; isFallback: boolean }
  | { step: 'cancelled' };

const maxRetries = 3;

/**
 * Decides what becomes of a command after a failed attempt, by the kind of failure alone. Counts the attempt.
 *
 * @param mayLock the command may have ways of its own not to come into conflict, which work beside make only
 */
export function nextStep(failure: Failure, attempts: Attempts, { mayLock }: { mayLock: boolean }): NextStep {
  switch (failure.reason) {
    case 'cancelled':
      return { step: 'cancelled' };
    case 'limit':
      return { step: 'local', reason: failure.limit.kind, isFallback: false };
    case 'terminal':
      return { step: 'local', reason: failure.reason, isFallback: false };
    case 'no-executor':
    case 'timed-out':
      return { step: 'local', reason: failure.reason, isFallback: true };
    case 'conflict':
      attempts.conflicts += 1;
      if (attempts.conflicts <= 1) return { step: 'again' };
      return { step: 'local', reason: mayLock ? 'lock' : failure.reason, isFallback: !mayLock };
    // Content may also be missing because the file has changed since: the next attempt takes a new snapshot.
    case 'content-missing':
    case 'sandbox':
    case 'executor-lost':
    case 'disk-full':
      attempts.retries += 1;
      if (attempts.retries <= maxRetries) return { step: 'again' };
      return { step: 'local', reason: failure.reason, isFallback: true };
    default:
      return exhaustive(failure);
  }
}
