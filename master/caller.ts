import type { ExitStatus } from '../runtime/child-process.ts';

/** How a command is to be run where make is. */
export interface LocalRun {
  /** Whether commands that it starts may ask us again. */
  isRecursive: boolean;
  /** It has been granted a slot of this machine (local-slots.ts). */
  holdsSlot: boolean;
  /** It is to read from /dev/null. */
  hasEmptyStdin: boolean;
  /** See `environmentEdits`. */
  envEdits: readonly string[];
}

/**
 * Whoever waits for one command: a shell below make, or `termite run`. Exactly one of `runLocally`, `exited`,
 * `cancelled` and `abandon` is called, last. All of them do nothing once the caller is gone.
 */
export interface Caller {
  /** Aborted when the caller goes away, or asks for the command to be cancelled. */
  readonly signal: AbortSignal;
  runLocally(how: LocalRun): void;
  /** From now on the command must never be run again. */
  committing(): void;
  /** Resolves when the caller keeps up. */
  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): Promise<void>;
  exited(status: ExitStatus): void;
  /** Nothing was or will be changed. */
  cancelled(): void;
  /** After `committing`, when it cannot be known what was applied: lets the command fail. */
  abandon(): void;
  /** The next bytes of its stdin; empty at the end. One call at a time; rejects when the caller is gone. */
  readStdin(maxBytes: number): Promise<Uint8Array>;
}
