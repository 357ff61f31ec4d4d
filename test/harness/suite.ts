import { inspect } from 'node:util';
import * as uvu from 'uvu';
import { withDeadline } from './deadline.ts';
import './lifeline.ts';
import { report } from './report.ts';
import { patience } from './slowness.ts';
import { runInTest } from './test-context.ts';

type Body = () => unknown;

export interface TestOptions {
  /** Milliseconds after which the test has failed on a usual machine, more on a slower one; 20,000 unless told. */
  deadlineMs?: number;
}

/** Defines the tests of a suite, in the order in which they run. */
export interface TestDefinition {
  (title: string, body: Body, options?: TestOptions): void;
  /** Hooks, for the rare case that a rig inside the test cannot serve; one that throws fails the tests it is for. */
  before(hook: Body): void;
  after(hook: Body): void;
  beforeEach(hook: Body): void;
  afterEach(hook: Body): void;
}

const defaultDeadlineMs = 20_000;
let suiteCount = 0;
let outstanding = 0;
let hasFailed = false;

/**
 * A suite of tests; runs when its file has been loaded. Whatever a test, a rig or a hook throws or rejects with, null
 * included, is a failure; so are a test that misses its deadline and a suite without tests.
 */
export function suite(name: string, define: (test: TestDefinition) => void): void {
  suiteCount += 1;
  const before: Body[] = [];
  const after: Body[] = [];
  const beforeEach: Body[] = [];
  const afterEach: Body[] = [];
  let count = 0;
  const uvuSuite = uvu.suite(name);
  const add = (title: string, body: Body, { deadlineMs = defaultDeadlineMs }: TestOptions = {}) => {
    count += 1;
    uvuSuite(title, () => runTest(name, title, deadlineMs, body));
  };

  let beforeDone: Promise<void> | undefined;
  const test = (title: string, body: Body, options?: TestOptions) => {
    const whole = async () => {
      beforeDone ??= runAll(before);
      await beforeDone;
      await withCleanup(
        async () => {
          await runAll(beforeEach);
          await body();
        },
        () => runAll(afterEach),
      );
    };
    add(title, whole, options);
  };
  define(Object.assign(test, {
    before: (hook: Body) => void before.push(hook),
    after: (hook: Body) => void after.push(hook),
    beforeEach: (hook: Body) => void beforeEach.push(hook),
    afterEach: (hook: Body) => void afterEach.push(hook),
  }));
  if (count === 0) add('(suite)', () => Promise.reject(new Error('Suite has no test')));
  if (after.length > 0) add('(after)', () => runAll(after));

  outstanding += count;
  report({ event: 'planned', suite: name, count });
  uvuSuite.run();
}

/**
 * What a machine must be able to do, or have, for some tests; MUST_SANDBOX=1, MUST_FUSE=1 and MUST_TOOLS=1 make their
 * skips failures.
 */
export type Ability = 'sandbox' | 'fuse' | 'tools';

class Skip extends Error {}

/** Ends the calling test as skipped, for a reason that is printed. */
export function skip(reason: string, missing?: Ability): never {
  const variable = `MUST_${missing?.toUpperCase()}`;
  if (process.env[variable] === '1') throw new Error(`${variable}=1 forbids to skip: ${reason}`);
  throw new Skip(reason);
}

async function runTest(suiteName: string, title: string, deadlineMs: number, body: Body): Promise<void> {
  const place = { suite: suiteName, title };
  report({ event: 'started', ...place, deadlineMs: patience(deadlineMs) });
  const started = performance.now();
  const callbacks: ((outcome: { failed: boolean }) => unknown)[] = [];
  const context = { title, onEnd: (callback: (typeof callbacks)[number]) => void callbacks.push(callback) };
  let failure: Error | undefined;
  let skipped: Skip | undefined;
  const attempt = async (run: Body) => {
    try {
      const onExtended = (ms: number) => report({ event: 'extended', ...place, ms });
      await runInTest(context, () => withDeadline(run, { usualMs: deadlineMs, onExtended }));
    } catch (thrown) {
      if (thrown instanceof Skip) skipped = thrown;
      else failure ??= asError(thrown);
    }
  };

  await attempt(body);
  for (let callback = callbacks.pop(); callback; callback = callbacks.pop()) {
    const run = callback;
    await attempt(() => run({ failed: failure !== undefined }));
  }

  const ms = Math.round(performance.now() - started);
  if (failure) {
    hasFailed = true;
    report({ event: 'failed', ...place, ms });
  } else if (skipped) {
    console.error(`skipped: ${suiteName}: ${title}: ${skipped.message}`);
    report({ event: 'skipped', ...place, reason: skipped.message });
  } else {
    report({ event: 'passed', ...place, ms });
  }
  outstanding -= 1;
  // What a failed test left open must not keep the process.
  if (outstanding === 0 && hasFailed) setTimeout(() => process.exit(1), 1000).unref();
  if (failure) throw failure;
}

async function runAll(hooks: Body[]): Promise<void> {
  for (const hook of hooks) await hook();
}

/** The clean-up runs in any case; of two errors the first is told. */
async function withCleanup(body: () => Promise<void>, cleanup: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (thrown) {
    await cleanup().catch(() => {});
    throw thrown;
  }
  await cleanup();
}

/** An Error that uvu can print: it swallows the failure of a test when it stumbles over its error. */
function asError(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(`Not an error was thrown: ${inspect(thrown)}`);
  const isPlain = typeof thrown.stack === 'string' && typeof thrown.name === 'string';
  // uvu shows neither causes nor what an error in clean-up has suppressed.
  if (isPlain && !('cause' in thrown) && !('suppressed' in thrown)) return thrown;
  return new Error(inspect(thrown));
}

process.on('exit', () => {
  if (suiteCount === 0) {
    console.error('Test file has no suite');
    process.exitCode = 1;
  } else if (outstanding > 0) {
    console.error(`Test process ended with ${outstanding} tests to go`);
    process.exitCode = 1;
  }
});
