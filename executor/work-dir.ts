import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makePrivateDir } from '../runtime/cache-dir.ts';
import { runProgram } from '../runtime/child-process.ts';
import { isErrno } from '../runtime/errno.ts';

/**
 * A folder of our own below `parent`, removed when disposed of. Its name tells which process it belongs to, so that
 * those of processes that were killed are removed when the next one starts.
 */
export class WorkDir implements AsyncDisposable {
  readonly path: string;

  /** Makes `parent` if need be. */
  static async open(parent: string): Promise<WorkDir> {
    makePrivateDir(parent);
    for (const name of readdirSync(parent)) if (isLeftOver(name)) await remove(join(parent, name));
    for (let count = 0; ; count++) {
      const path = join(parent, `${ownerPrefix()}${process.pid}-${startTimeOf(process.pid)}-${count}`);
      try {
        mkdirSync(path, { mode: 0o700 });
        return new WorkDir(path);
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
  }

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a folder in it; returns its absolute path. */
  makeDir(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await remove(this.path);
  }
}

/** A folder may be on a file system that several machines share. */
function ownerPrefix(): string {
  return `${hostname().replace(/[^\w.-]/g, '_')}-`;
}

function isLeftOver(name: string): boolean {
  if (!name.startsWith(ownerPrefix())) return false;
  const [, pid, startTime] = /^(\d+)-(\d+)-\d+$/.exec(name.slice(ownerPrefix().length)) ?? [];
  return pid !== undefined && startTimeOf(Number(pid)) !== startTime;
}

/** In clock ticks since the machine started; undefined when there is no such process. Source: proc(5), "stat". */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** Commands may leave directories that their owner may not look into. What cannot be removed stays for another time. */
async function remove(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await runProgram('chmod', ['-R', 'u+rwX', path]);
    await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}
