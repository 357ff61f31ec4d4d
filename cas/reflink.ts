import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

/** Makes `destination` a copy that shares its extents with `source`; false, and nothing there, where that cannot be. */
export async function tryReflink(source: string, destination: string): Promise<boolean> {
  const flags = constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL;
  try {
    await copyFile(fsPath(source), fsPath(destination), flags);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY', 'EPERM')) return false;
    throw error;
  }
}
