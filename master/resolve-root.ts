import { realpathSync, statSync } from 'node:fs';
import { AppError } from '../runtime/app-error.ts';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';

/** Absolute path of a project's root, symlinks resolved. @throws AppError `bad-root` when there is no such folder */
export function resolveRoot(path: string): string {
  if (!statSync(fsPath(path), { throwIfNoEntry: false })?.isDirectory())
    throw new AppError(`No such folder: "${path}"`, { code: 'bad-root', category: 'caller' });
  return decodeBytes(realpathSync.native(fsPath(path), { encoding: 'buffer' }));
}
