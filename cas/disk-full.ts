import { AppError } from '../runtime/app-error.ts';
import { isErrno } from '../runtime/errno.ts';

/** What to throw for an error of writing: AppError `disk-full` for ENOSPC and EDQUOT, any other as it is. */
export function explainDiskFull(error: unknown, action: string): unknown {
  if (!isErrno(error, 'ENOSPC', 'EDQUOT')) return error;
  return new AppError(`${action}: no space left`, {
    code: 'disk-full',
    hint: 'Free some space on the file system of the store, or raise the quota',
    cause: error,
  });
}
