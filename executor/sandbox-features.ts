import { closeSync, openSync, readFileSync } from 'node:fs';
import { AppError } from '../runtime/app-error.ts';
import { isErrno } from '../runtime/errno.ts';

/** Where to look; tests point it elsewhere. */
export interface FeatureFiles {
  fuse: string;
  /** /proc/sys */
  sysctl: string;
  isRoot: boolean;
}

const systemFiles: FeatureFiles = {
  fuse: '/dev/fuse',
  sysctl: '/proc/sys',
  isRoot: process.getuid?.() === 0,
};

/**
 * Checks what every sandbox needs of the machine, each with a message of its own. Finding nothing wrong does not mean
 * that a sandbox will work: that only the box can tell.
 *
 * @throws AppError `no-fuse` or `no-user-namespaces`, with a way out
 */
export function checkSandboxFeatures(files: FeatureFiles = systemFiles): void {
  checkFuse(files.fuse);
  if (files.isRoot) return;
  for (const [sysctl, bad, good] of [
    ['user/max_user_namespaces', '0', '15000'],
    ['kernel/unprivileged_userns_clone', '0', '1'],
  ] as const) {
    if (readSetting(`${files.sysctl}/${sysctl}`) !== bad) continue;
    const name = sysctl.replace('/', '.');
    throw new AppError(`Cannot start the sandbox: user namespaces are switched off: ${name} is ${bad}`, {
      code: 'no-user-namespaces',
      hint: `Run "sudo sysctl ${name}=${good}", or run Termite as root`,
    });
  }
}

/** A way out for a box that could not start, where its words or the machine's settings suggest one. */
export function suggestWayOut(message: string, files: FeatureFiles = systemFiles): string | undefined {
  const isForbidden = /not permitted|permission denied/i.test(message);
  if (!isForbidden) return undefined;
  if (readSetting(`${files.sysctl}/kernel/apparmor_restrict_unprivileged_userns`) === '1' && !files.isRoot) {
    return 'AppArmor restricts user namespaces here: run "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0", or run Termite as root';
  }
  return 'In a container, allow it to make namespaces and mounts: for Docker "--privileged", or "--device /dev/fuse --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined"';
}

function checkFuse(path: string): void {
  try {
    closeSync(openSync(path, 'r+'));
  } catch (cause) {
    throw new AppError(`Cannot start the sandbox: ${describeFuseProblem(path, cause)}`, {
      code: 'no-fuse',
      cause,
      hint: hintForFuse(path, cause),
    });
  }
}

function describeFuseProblem(path: string, cause: unknown): string {
  if (isErrno(cause, 'ENOENT')) return `there is no ${path}`;
  if (isErrno(cause, 'ENODEV', 'ENXIO')) return `the kernel has no FUSE behind ${path}`;
  if (isErrno(cause, 'EACCES', 'EPERM')) return `${path} may not be opened for reading and writing`;
  return `${path} cannot be opened`;
}

function hintForFuse(path: string, cause: unknown): string {
  if (isErrno(cause, 'EACCES')) {
    return `Run "sudo chmod 666 ${path}"; to keep it that way: echo 'KERNEL=="fuse", MODE="0666"' | sudo tee /etc/udev/rules.d/99-fuse.rules`;
  }
  const container = `in a container, start it with "--device ${path}"`;
  return isErrno(cause, 'EPERM')
    ? `The device is not allowed here: ${container}`
    : `Run "sudo modprobe fuse"; ${container}`;
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined; // This kernel does not have the setting.
  }
}
