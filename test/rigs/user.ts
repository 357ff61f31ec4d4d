import { accessSync, constants } from 'node:fs';
import { findProgram } from '../../wrapper/find-program.ts';
import { skip } from '../harness/suite.ts';
import { ordinaryId } from './ordinary-id.ts';

/** Who runs the program under test. */
export type User = 'root' | 'ordinary';

export { ordinaryId };

/**
 * A shell fragment that becomes an ordinary user who may open /dev/fuse, whatever the machine's own permissions are:
 * a device node of ours is laid over /dev/fuse in a mount namespace that ends with the command.
 */
const becomeOrdinary = [
  'set -e',
  'mount -t tmpfs -o size=64k,mode=755 termite-test /mnt',
  'mknod -m 666 /mnt/fuse c 10 229',
  'mount --bind /mnt/fuse /dev/fuse',
  'umount -l /mnt',
  `exec setpriv --reuid=${ordinaryId} --regid=${ordinaryId} --clear-groups -- "$@"`,
].join('\n');

/** The users that this test run can be: both as root, else only the one that we are. */
export function availableUsers(): User[] {
  return process.getuid?.() === 0 ? ['root', 'ordinary'] : ['ordinary'];
}

/** `argv`, run by that user. */
export function asUser(user: User, argv: readonly string[]): string[] {
  if (user === 'root' || process.getuid?.() !== 0) return [...argv];
  return ['unshare', '--mount', 'sh', '-c', becomeOrdinary, 'sh', ...argv];
}

/** The words in front of a program that may make no namespaces. */
export const withoutNamespaces: readonly string[] = [
  ...['unshare', '--user', '--map-root-user', 'sh', '-c'],
  'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-sys_admin "$@"',
  'sh',
];

/** The reason why sandboxes cannot work for us here; undefined when they can. */
export function sandboxObstacle(): string | undefined {
  if (process.getuid?.() === 0) return undefined;
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return '/dev/fuse cannot be opened by this user';
  }
}

/** Skips the calling test where one of these programs is missing. */
export function needPrograms(...names: string[]): void {
  for (const name of names) if (!findProgram([name], process.env['PATH'])) skip(`${name} is not installed`);
}
