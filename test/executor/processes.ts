import { readdirSync, readFileSync } from 'node:fs';
import { killIfThere } from '../harness/leftovers.ts';

/** Waits until a process with this argument is there, or is gone. */
export async function untilProcess(argument: string, isThere: boolean): Promise<void> {
  while (findProcesses(argument).length > 0 !== isThere) await new Promise((wake) => setTimeout(wake, 5));
}

/** Ends those that have this argument, of a command that waits until the test says so: `sleep 1000.5 || :`. */
export function endProcesses(argument: string): void {
  for (const pid of findProcesses(argument)) killIfThere(pid, 'SIGTERM');
}

/** Their ids. */
export function findProcesses(argument: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(argument);
      } catch {
        return false;
      }
    })
    .map(Number);
}

export function childrenOf(parent: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((pid) => isChildOf(pid, parent));
}

export function isChildOf(pid: number, parent: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')[1] === String(parent);
  } catch {
    return false; // ended meanwhile
  }
}
