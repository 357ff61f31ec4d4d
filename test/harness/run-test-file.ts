import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestEvent } from './report.ts';
import { patience } from './slowness.ts';

export interface FileResult {
  file: string;
  passed: number;
  /** One line for each test that failed or never ran, and for what went wrong around them. */
  failures: string[];
  /** Title and reason. */
  skips: string[];
  /** Tests that took long, with their times. */
  slow: string[];
  /** Everything the process wrote. */
  output: string;
  ms: number;
}

/** For loading a file, for dying after the last test, and beyond the deadline of a test that blocks its own process. */
const graceMs = () => patience(5_000);
const loadingMs = () => patience(30_000);
const slowMs = 5_000;

/**
 * Runs one test file in a process (and process group) of its own. A crash, an early exit, a hang, and processes left
 * behind are failures like any other, and nothing of the group is left afterwards.
 */
export async function runTestFile(
  file: string,
  { node, signal }: { node: string; signal: AbortSignal },
): Promise<FileResult> {
  const started = performance.now();
  const child = spawn(node, ['--enable-source-maps', file], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, TEST_REPORT_FD: '3', TEST_LIFELINE_FD: '4' },
  });
  const killGroup = () => signalGroup(child, 'SIGKILL');
  signal.addEventListener('abort', killGroup);

  const output: Buffer[] = [];
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => output.push(chunk));
  const log = new EventLog();
  let hung: string | undefined;
  let watchdog: NodeJS.Timeout;
  const watch = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      hung = log.isComplete ? 'did not end after its last test: something is still open' : 'hung';
      killGroup();
    }, log.allowanceMs);
  };
  watch();
  child.stdio[3]!.on('data', (chunk: Buffer) => {
    log.push(chunk);
    watch();
  });

  const closed = new Promise((resolve) => child.once('close', resolve));
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, killedBy) => resolve(killedBy === null ? `exit ${code}` : killedBy));
  });
  clearTimeout(watchdog!);
  const leftovers = hung === undefined && !(await groupVanishes(child));
  killGroup();
  if (child.pid !== undefined) await closed;
  signal.removeEventListener('abort', killGroup);

  const failures = log.failures(hung ?? ended);
  if (leftovers) failures.push('(file): left processes running');
  // Whatever the counts say: a process that reports trouble is trouble.
  if (failures.length === 0 && ended !== 'exit 0') failures.push(`(file): ${hung ?? ended}`);
  return {
    file,
    passed: log.passed,
    failures,
    skips: log.skips,
    slow: log.slow,
    output: Buffer.concat(output).toString(),
    ms: performance.now() - started,
  };
}

/** Puts together what a test file reports. */
class EventLog {
  passed = 0;
  readonly skips: string[] = [];
  readonly slow: string[] = [];
  readonly #failed: string[] = [];
  #planned = 0;
  #done = 0;
  #running: Extract<TestEvent, { event: 'started' }> | undefined;
  /** How long that may take from its last event on. */
  #runningMs = 0;
  #rest = '';

  push(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString()).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#add(JSON.parse(line));
  }

  get isComplete(): boolean {
    return this.#planned > 0 && this.#done === this.#planned;
  }

  /** How long the process may now be silent. */
  get allowanceMs(): number {
    if (this.#running) return this.#runningMs + graceMs();
    return this.isComplete ? graceMs() : loadingMs();
  }

  /** @param ended how the process ended, for the tests that have no outcome because of it */
  failures(ended: string): string[] {
    const failures = [...this.#failed];
    let missing = this.#planned - this.#done;
    if (this.#planned === 0) failures.push(`(file): no suite (${ended})`);
    if (this.#running) {
      failures.push(`${this.#running.suite}: ${this.#running.title}: process ended in mid-test (${ended})`);
      missing -= 1;
    }
    for (; missing > 0; missing--) failures.push(`(file): a test did not run (${ended})`);
    return failures;
  }

  #add(event: TestEvent): void {
    if (event.event === 'planned') {
      this.#planned += event.count;
      return;
    }
    if (event.event === 'started') {
      this.#running = event;
      this.#runningMs = event.deadlineMs;
      return;
    }
    if (event.event === 'extended') {
      this.#runningMs = event.ms;
      return;
    }
    this.#running = undefined;
    this.#done += 1;
    const title = `${event.suite}: ${event.title}`;
    if (event.event === 'skipped') {
      this.skips.push(`${title}: ${event.reason}`);
      return;
    }
    if (event.ms > slowMs) this.slow.push(`${title} (${(event.ms / 1000).toFixed(1)} s)`);
    if (event.event === 'failed') this.#failed.push(title);
    else this.passed += 1;
  }
}

/** Gives what is on its way out a moment. */
async function groupVanishes(child: ChildProcess): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < patience(2_000); waitedMs += 50) {
    if (!signalGroup(child, 0)) return true;
    await sleep(50);
  }
  return !signalGroup(child, 0);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  try {
    return child.pid !== undefined && process.kill(-child.pid, signal);
  } catch {
    // ESRCH: nobody is left.
    return false;
  }
}
