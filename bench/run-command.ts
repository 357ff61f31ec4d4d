import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';

export interface Run {
  wallMs: number;
  /** stdout and stderr as they came. */
  output: string;
}

/**
 * Runs a program to its end, with nothing on stdin, and times it.
 *
 * @throws Error naming the command, its status and the end of its output when it does not exit with 0
 */
export async function runCommand(
  argv: readonly string[],
  { cwd, env = process.env }: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<Run> {
  const started = performance.now();
  const child = spawn(argv[0]!, argv.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Being stopped stops the command, and then us through its failure, so that what we made is cleaned up. Ctrl-C
  // reaches the command by itself, since it is in our process group.
  const ignoreInterrupt = () => {};
  const forwardTermination = () => child.kill('SIGTERM');
  process.on('SIGINT', ignoreInterrupt).on('SIGTERM', forwardTermination);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  process.off('SIGINT', ignoreInterrupt).off('SIGTERM', forwardTermination);
  const wallMs = performance.now() - started;
  const output = Buffer.concat(chunks).toString();
  if (code !== 0) {
    const lastLines = output.trimEnd().split('\n').slice(-20).join('\n');
    throw new Error(`"${argv.join(' ')}" in "${cwd}" ended with ${signal ?? code}:\n${lastLines}`);
  }
  return { wallMs, output };
}
