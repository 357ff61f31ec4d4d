/** An error as `node:fs` throws it. */
export function systemError(
  code: 'ENOTDIR' | 'ENOENT' | 'EACCES' | 'EPERM' | 'EINVAL',
  message: string,
): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
