import { type ChildProcess, spawn } from 'node:child_process';
import { decodeBytes } from '../../runtime/byte-path.ts';

export interface CommandOutcome {
  /** Exit code, or the name of the signal it died of. */
  status: number | string;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** Bytes for stdin; without it stdin is /dev/null. */
  input?: string;
  /** Called with the running child, e.g. to kill it in mid-flight. */
  started?: (child: ChildProcess) => void;
}

/** Runs a program to its end and captures what it wrote. Never rejects for a failing program. */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandOutcome> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (chunk) => stdout.push(chunk));
    child.stderr?.on('data', (chunk) => stderr.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({
        status: signal ?? code ?? -1,
        stdout: decodeBytes(Buffer.concat(stdout)),
        stderr: decodeBytes(Buffer.concat(stderr)),
      }),
    );
    child.stdin?.on('error', () => {}); // a program that does not read its input: EPIPE is its business
    child.stdin?.end(options.input);
    options.started?.(child);
  });
}

/** Runs a program that has to succeed; otherwise throws with everything it said. */
export async function mustRun(argv: readonly string[], options: CommandOptions): Promise<CommandOutcome> {
  const outcome = await runCommand(argv, options);
  if (outcome.status !== 0) {
    throw new Error(`${argv.join(' ')}: status ${outcome.status}\n${outcome.stdout}${outcome.stderr}`);
  }
  return outcome;
}
