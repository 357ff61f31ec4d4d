import { constants } from 'node:os';
import { z } from 'zod';
import { AppError, describeError } from './app-error.ts';
import type { ErrnoName } from './errno.ts';

/** An error on its way from a server to a client. */
export const httpErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  /** Absent for system errors, whose code is the errno's name. */
  category: z.enum(['infrastructure', 'caller', 'not-found']).optional(),
});

export type HttpError = z.infer<typeof httpErrorSchema>;

const statusOf = { caller: 400, 'not-found': 404, infrastructure: 500 } as const;
const systemErrorStatus = 422;

/** What a server answers when its handler has thrown. */
export function encodeHttpError(error: unknown): { status: number; body: HttpError } {
  const message = describeError(error);
  if (error instanceof AppError) {
    const { code, category } = error;
    return { status: statusOf[category], body: { code, message, category } };
  }
  if (isSystemError(error)) return { status: systemErrorStatus, body: { code: error.code, message } };
  return { status: 500, body: { code: 'internal-error', message, category: 'infrastructure' } };
}

/**
 * The error that a client throws for an answer of a server: an AppError, or the system error (with `code` and
 * `errno`) that the handler met.
 *
 * @param place which server, for the message
 */
export function decodeHttpError(status: number, body: unknown, place: string): Error {
  const { success, data } = httpErrorSchema.safeParse(body);
  if (!success)
    return new AppError(`${place}: unexpected answer with status ${status}`, { code: 'bad-answer' });
  const { code, message, category } = data;
  const errno = constants.errno[code as ErrnoName];
  if (status === systemErrorStatus && errno !== undefined) {
    return Object.assign(new Error(`${place}: ${message}`), { code, errno: -errno });
  }
  return new AppError(`${place}: ${message}`, { code, category: category ?? 'infrastructure' });
}

function isSystemError(error: unknown): error is Error & { code: ErrnoName } {
  return error instanceof Error && 'code' in error && constants.errno[error.code as ErrnoName] !== undefined;
}
