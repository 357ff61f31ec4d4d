import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../runtime/byte-path.ts';

/** The first of the names that there is a program of, by its name. @param path as `$PATH` */
export function findProgram(names: readonly string[], path: string | undefined): string | undefined {
  const dirs = (path ?? '').split(':').filter((dir) => dir !== '');
  return names.find((name) => dirs.some((dir) => isProgram(join(dir, name))));
}

function isProgram(file: string): boolean {
  try {
    accessSync(fsPath(file), constants.X_OK);
    return statSync(fsPath(file)).isFile();
  } catch {
    // For whatever reason: it could not be started.
    return false;
  }
}
