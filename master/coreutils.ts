import { lstatSync, lutimesSync } from 'node:fs';
import { AppError } from '../runtime/app-error.ts';
import { encodeBytes, fsPath } from '../runtime/byte-path.ts';
import { runProgram } from '../runtime/child-process.ts';

/** One `touch` or `mkfifo`: what Node cannot do by itself. Paths are absolute. */
export type CoreutilsCommand =
  | { kind: 'touch'; path: string; mtimeNs: bigint }
  | { kind: 'mkfifo'; path: string; mode: number };

/**
 * Sets the modification time of a file, directory or symlink if Node can express it: it rounds to microseconds, and takes
 * times before 1970 for the present.
 *
 * @returns whether it is exact now
 */
export function trySetTime(path: string, mtimeNs: bigint): boolean {
  const seconds = Number(mtimeNs) / 1e9;
  lutimesSync(fsPath(path), seconds, seconds);
  return lstatSync(fsPath(path), { bigint: true }).mtimeNs === mtimeNs;
}

/**
 * Runs commands of the coreutils, all in one shell. It reads them from its stdin, since arguments of a child must be
 * text for Node.
 *
 * @throws AppError `coreutils-failed` when one fails
 */
export async function runCoreutils(commands: readonly CoreutilsCommand[]): Promise<void> {
  if (commands.length === 0) return;
  const script = commands.map((command) => encodeBytes(`${spell(command)} || exit 1\n`));
  const { status, stderr } = await runProgram('/bin/sh', [], {
    input: Buffer.concat(script),
    stdout: 'ignore',
  });
  if (status.kind === 'exit' && status.code === 0) return;
  throw new AppError(`Cannot apply result: ${stderr.toString().trim()}`, { code: 'coreutils-failed' });
}

function spell(command: CoreutilsCommand): string {
  const path = `'${command.path.replaceAll("'", "'\\''")}'`;
  if (command.kind === 'mkfifo') return `mkfifo -m ${command.mode.toString(8)} ${path}`;
  const { mtimeNs } = command;
  const [sign, distanceNs] = mtimeNs < 0n ? ['-', -mtimeNs] : ['', mtimeNs];
  const fraction = String(distanceNs % 1_000_000_000n).padStart(9, '0');
  return `touch -h -m -d @${sign}${distanceNs / 1_000_000_000n}.${fraction} ${path}`;
}
