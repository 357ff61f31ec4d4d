/** What went wrong, as far as a caller may act on it: retry elsewhere, tell the user, or neither. */
export type ErrorCategory = 'infrastructure' | 'caller' | 'not-found';

export interface AppErrorOptions {
  /** Stable, machine readable: `bad-configuration`, `digest-mismatch`, … */
  code: string;
  category?: ErrorCategory;
  /** The way out, shown on a line of its own. */
  hint?: string;
  data?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * A problem that can be reached in normal use and stops the work at hand. Message: sentence case, no full stop, the
 * action first. A bug is a plain `Error` beginning "Internal error:" instead.
 */
export class AppError extends Error {
  readonly code: string;
  readonly category: ErrorCategory;
  readonly hint: string | undefined;
  readonly data: Record<string, unknown>;

  constructor(
    message: string,
    { code, category = 'infrastructure', hint, data = {}, cause }: AppErrorOptions,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.category = category;
    this.hint = hint;
    this.data = data;
  }
}

/** The message of anything thrown, with its causes: `apply: write "a.o": no space left`. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describeError(error.cause)}`;
}

/** `describeError` and, on a second line, the way out where the error knows one. */
export function explainError(error: unknown): string {
  const hint = error instanceof AppError ? error.hint : undefined;
  return hint === undefined ? describeError(error) : `${describeError(error)}\n  ${hint}`;
}
