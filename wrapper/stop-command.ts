import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../runtime/app-error.ts';
import { isErrno } from '../runtime/errno.ts';
import { printLines } from '../runtime/say.ts';
import type { Environment } from './command.ts';
import { connectToMaster } from './status-command.ts';

const patienceMs = 15_000;

/** Ends the project's master and waits until it is gone. */
export async function stopCommand(argv: readonly string[], env: Environment): Promise<void> {
  const about = "Ends the project's master";
  using client = await connectToMaster(argv, { command: 'termite stop', about }, env);
  if (!client) return;
  const { pid, root } = await client.ask('status');
  await client.ask('stop');
  await client.closed;
  for (let waitedMs = 0; isAlive(pid); waitedMs += 20) {
    if (waitedMs >= patienceMs)
      throw new AppError(`The master, process ${pid}, is still ending`, { code: 'master-not-ended' });
    await sleep(20);
  }
  printLines([`Stopped the master of ${root}`]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) return false;
    throw error;
  }
}
