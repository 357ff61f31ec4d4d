import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isErrno } from '../../runtime/errno.ts';

/**
 * What tests make outside of their own processes, so that it can be found when they are killed: folders, which carry in their
 * names the process that is responsible for them (the runner, or a test file that runs alone), and whatever runs in these.
 */

/** In a folder that was kept for people to look at: the test that failed. */
const keptName = '.kept';

const pattern = /^termite-(?:test|rig|copy)-(\d+)-\w+$/;

/** The process whose end makes our folders leftovers. */
const responsible = process.env['TEST_RUNNER_PID'] ?? `${process.pid}`;

/** A fresh folder, which everybody may look into: what lies in a private one no sandbox shows. @returns its absolute path */
export function makeTestFolder(kind: 'test' | 'rig' | 'copy', parent: string): string {
  const path = mkdtempSync(join(parent, `termite-${kind}-${responsible}-`));
  chmodSync(path, 0o755);
  return path;
}

/** Leaves a folder of a failed test, and says where. */
export function keep(path: string, title: string): void {
  try {
    writeFileSync(join(path, keptName), `${title}\n`);
  } catch {
    // The test took the right to write away, or the folder itself.
  }
  console.error(`kept: ${path} (${title})`);
}

/** Removes a folder with all that it holds, also where its own modes forbid that. */
export function removeTree(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error;
    execFileSync('chmod', ['-R', 'u+rwX', path]);
    rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Removes the folders of runs that have ended without doing so, being killed, and ends what still runs in them.
 *
 * @param parents the folders that tests make theirs in
 * @param ended a run that is at its end: its folders count as well
 * @returns what was removed
 */
export function removeLeftovers(parents: readonly string[] = [tmpdir()], ended?: number): string[] {
  const left = [...new Set(parents)].flatMap((parent) => {
    return namesIn(parent).flatMap((name) => {
      const pid = Number(pattern.exec(name)?.[1]);
      if (Number.isNaN(pid) || (pid !== ended && isRunning(pid))) return [];
      const path = join(parent, name);
      return namesIn(path).includes(keptName) ? [] : [path];
    });
  });
  return left.filter((path) => {
    try {
      for (const pid of processesOf(path)) killIfThere(pid);
      removeTree(path);
      return true;
    } catch {
      return false; // another user's
    }
  });
}

/** The processes whose environment names a folder as the place of their cache, or something below it. */
function processesOf(folder: string): number[] {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`XDG_CACHE_HOME=${folder}/`);
      } catch {
        return false; // ended meanwhile, or somebody else's
      }
    })
    .map(Number);
}

/** Ends a process, unless it is gone. */
export function killIfThere(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('node');
  } catch {
    return false;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not there, or somebody else's
  }
}
