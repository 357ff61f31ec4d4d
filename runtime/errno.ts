import { constants } from 'node:os';

export type ErrnoName = keyof typeof constants.errno;

/** Whether `error` is a system error with one of these names. */
export function isErrno(error: unknown, ...names: ErrnoName[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && names.includes(error.code as ErrnoName);
}

/** The errno number to tell the kernel for `error`; EIO for anything that is not a system error. */
export function errnoOf(error: unknown): number {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number')
    return Math.abs(error.errno);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return constants.errno[code as ErrnoName] ?? constants.errno.EIO;
}
