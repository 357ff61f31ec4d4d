import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Child, type ExitStatus, spawnChild } from '../runtime/child-process.ts';
import { inheritedJobserver } from './inherited-jobserver.ts';
import { inheritedSignals } from './inherited-signals.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A terminal sends these to us and to the child alike. */
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;
const forwarded = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/**
 * Runs a program in our place: with our stdin (or none), stdout and stderr, with the jobserver of a make around us, in our
 * process group, ignoring and blocking what we were to; or with the bytes of a stream as stdin. We outlive it whatever signal comes: those of the terminal it gets by itself, the others are passed on.
 *
 * @param onSignal called for each of them
 */
export async function runInForeground(
  program: string,
  args: readonly string[],
  env: Environment,
  {
    stdin = 'inherit',
    onSignal = () => {},
  }: { stdin?: 'inherit' | 'ignore' | Readable; onSignal?: () => void } = {},
): Promise<ExitStatus> {
  let child: Child | undefined;
  const forward = (signal: NodeJS.Signals) => {
    onSignal();
    child?.kill(signal);
  };
  for (const signal of fromTerminal) process.on(signal, onSignal);
  for (const signal of forwarded) process.on(signal, forward);
  try {
    const { TERMITE_SIGNALS: _, ...rest } = env;
    child = await spawnChild(program, args, {
      env: rest,
      signals: inheritedSignals(env),
      stdin: stdin instanceof Readable ? 'pipe' : stdin,
      stdout: 'inherit',
      stderr: 'inherit',
      inherited: inheritedJobserver(env['MAKEFLAGS'], process.ppid),
      ownGroup: false,
    });
    // Whoever does not read all of it closes the pipe: that is no error of ours.
    if (stdin instanceof Readable) pipeline(stdin, child.stdin).catch(() => {});
    return await child.ended;
  } finally {
    for (const signal of fromTerminal) process.off(signal, onSignal);
    for (const signal of forwarded) process.off(signal, forward);
  }
}

/** Resolves when all that was written has been taken: what is not by the time a process ends is lost. */
export function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

/** Ends this process as a child of ours has ended, so that whoever waits for us sees the same. */
export function endLike(status: ExitStatus): never {
  if (status.kind === 'exit') process.exit(status.code);
  const name = Object.entries(constants.signals).find(([, number]) => number === status.signal)?.[0];
  if (name) {
    process.removeAllListeners(name);
    process.kill(process.pid, status.signal);
  }
  // Still here: the signal is blocked, or we are the init of a container.
  process.exit(128 + status.signal);
}
