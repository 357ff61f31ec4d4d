import { realpathSync, statSync } from 'node:fs';
import { AppError } from '../runtime/app-error.ts';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';

/** Absolute path of a project's root, symlinks resolved. @throws AppError `bad-root` when there is no such folder for us */
export function resolveRoot(path: string): string {
  try {
    if (statSync(fsPath(path), { throwIfNoEntry: false })?.isDirectory())
      return decodeBytes(realpathSync.native(fsPath(path), { encoding: 'buffer' }));
  } catch (cause) {
    throw new AppError(`Cannot use folder "${path}"`, { code: 'bad-root', category: 'caller', cause });
  }
  throw new AppError(`No such folder: "${path}"`, { code: 'bad-root', category: 'caller' });
}
