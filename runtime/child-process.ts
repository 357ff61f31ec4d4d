import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { AppError } from './app-error.ts';
import { encodeBytes } from './byte-path.ts';
import { isErrno } from './errno.ts';
import { inheritedEnvironment } from './process-bytes.ts';

/** Becomes a program that is named by bytes. */
const starter = resolve(import.meta.dirname, '../../native/build/termite-start');

/** How a process ended. Signals are numbers, as in a wait status. */
export type ExitStatus = { kind: 'exit'; code: number } | { kind: 'signal'; signal: number };

export interface ChildOptions {
  cwd?: string;
  /** Replaces the whole environment; absent: ours. */
  env?: Record<string, string | undefined>;
  /** `pipe` unless told. */
  stdin?: 'pipe' | 'ignore' | 'inherit';
  /** A number is an open descriptor of ours. */
  stdout?: 'pipe' | 'ignore' | 'inherit' | number;
  stderr?: 'pipe' | 'ignore' | 'inherit' | number;
  /** Further descriptors of ours, above 2, that it has under the same numbers. */
  inherited?: readonly number[];
  /**
   * A process group of its own, so that `kill` reaches what the child has started and a terminal's Ctrl-C does not:
   * true unless told.
   */
  ownGroup?: boolean;
  /** What it is to ignore and to block from its start on, as native/start wants it; absent: nothing. */
  signals?: readonly [ignored: string, blocked: string] | undefined;
}

/**
 * A running program. Node cannot tie its life to ours: long-lived children are written to exit when their stdin ends,
 * which it does however we die.
 */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ownGroup: boolean;
  readonly #ended: Promise<ExitStatus>;
  #hasEnded = false;

  /** @internal use `spawnChild` */
  constructor(process: ChildProcess, ownGroup: boolean) {
    this.#process = process;
    this.#ownGroup = ownGroup;
    this.#ended = new Promise((resolve) => {
      process.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve(exitStatus(code, signal));
      });
    });
    // EPIPE: a child that ended early is told by its status. Anything else shows there as well.
    process.stdin?.on('error', () => {});
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** @throws Error unless spawned with a pipe there */
  get stdin(): Writable {
    return piped(this.#process.stdin);
  }

  get stdout(): Readable {
    return piped(this.#process.stdout);
  }

  get stderr(): Readable {
    return piped(this.#process.stderr);
  }

  /** Resolves when the child has ended and all of its output has been read. */
  get ended(): Promise<ExitStatus> {
    return this.#ended;
  }

  /** Signals the child, and all of its group when it has one; no-op when nobody is left. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    // Its number may by now be another's.
    if (this.#hasEnded) return;
    try {
      process.kill(this.#ownGroup ? -this.pid : this.pid, signal);
    } catch (error) {
      if (!isErrno(error, 'ESRCH')) throw error;
    }
  }

  /** Ends its stdin, gives it a moment to exit, then kills it. */
  async close({ graceMs = 3_000 } = {}): Promise<ExitStatus> {
    this.#process.stdin?.end();
    this.#process.stdout?.resume();
    this.#process.stderr?.resume();
    const timer = setTimeout(() => this.kill(), graceMs);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Starts a program, without a shell. The only place that does. Strings as in byte-path.ts: what is no text goes by way of a
 * program of ours, so that one that cannot be started then ends with 126 or 127, as of a shell.
 *
 * @throws AppError `cannot-start` naming the program, when it is not there, may not be run, …
 */
export async function spawnChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Child> {
  const { cwd, env, stdin = 'pipe', stdout = 'pipe', stderr = 'pipe', ownGroup = true } = options;
  const stdio: (NonNullable<ChildOptions['stdout']> | undefined)[] = [stdin, stdout, stderr];
  for (const fd of options.inherited ?? []) stdio[fd] = fd;
  const entries = Object.entries(env ?? inheritedEnvironment()).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const isText = [program, ...args, cwd ?? '', ...entries].every((text) => text.isWellFormed());
  const isDirect = isText && options.signals === undefined;
  const starterArgs = [`${stdio.length}`, `${args.length + 1}`, ...(options.signals ?? [])];
  const orders = stdio.length;
  try {
    const child = spawn(...(isDirect ? ([program, args] as const) : ([starter, starterArgs] as const)), {
      // Those in between stay closed.
      stdio: Array.from(isDirect ? stdio : [...stdio, 'pipe' as const], (option) => option ?? 'ignore'),
      detached: ownGroup,
      ...(isDirect && cwd !== undefined ? { cwd } : {}),
      ...(isDirect ? (env === undefined ? {} : { env }) : { env: {} }),
    });
    const started = new Child(child, ownGroup);
    await once(child, 'spawn');
    if (!isDirect)
      sendOrders(child.stdio[orders] as Writable, [cwd ?? '', program, program, ...args, ...entries]);
    return started;
  } catch (cause) {
    throw cannotStart(program, cause);
  }
}

/** See native/start. */
function sendOrders(pipe: Writable, strings: readonly string[]): void {
  // A program that died before it has read them shows that by its status.
  pipe.on('error', () => {});
  pipe.end(encodeBytes(strings.map((text) => `${text}\0`).join('')));
}

/** Runs a program to its end and collects what it writes. Aborting `signal` kills it and rejects. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { input, signal, ...options }: ChildOptions & { input?: string | Uint8Array; signal?: AbortSignal } = {},
): Promise<{ status: ExitStatus; stdout: Buffer; stderr: Buffer }> {
  signal?.throwIfAborted();
  const child = await spawnChild(program, args, options);
  const kill = () => child.kill();
  signal?.addEventListener('abort', kill);
  try {
    if ((options.stdin ?? 'pipe') === 'pipe') child.stdin.end(input);
    const [stdout, stderr] = await Promise.all([
      readAll(child, 'stdout', options),
      readAll(child, 'stderr', options),
    ]);
    const status = await child.ended;
    signal?.throwIfAborted();
    return { status, stdout, stderr };
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

async function readAll(child: Child, name: 'stdout' | 'stderr', options: ChildOptions): Promise<Buffer> {
  if ((options[name] ?? 'pipe') !== 'pipe') return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  for await (const chunk of child[name]) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function exitStatus(code: number | null, signal: NodeJS.Signals | null): ExitStatus {
  if (signal !== null) return { kind: 'signal', signal: constants.signals[signal] };
  return { kind: 'exit', code: code ?? 0 };
}

function piped<T>(stream: T | null): T {
  if (stream === null) throw new Error('Internal error: stream of a child is no pipe');
  return stream;
}

function cannotStart(program: string, cause: unknown): AppError {
  return new AppError(`Cannot start "${program}"`, { code: 'cannot-start', data: { program }, cause });
}
