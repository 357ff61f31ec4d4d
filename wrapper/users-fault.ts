import { AppError } from '../runtime/app-error.ts';

/** What the user has to put right before anything is done. All other trouble of ours only makes things slower. */
const codes: readonly string[] = ['bad-arguments', 'bad-root', 'master-refused'];

/** Whether an error, from looking for a project to opening a session with its master, is for the user to put right. */
export function isUsersFault(error: unknown): boolean {
  return error instanceof AppError && codes.includes(error.code);
}
