import { writeSync } from 'node:fs';

/** What a test file tells run.ts, one JSON line each on the descriptor TEST_REPORT_FD. */
export type TestEvent =
  /** A suite with so many tests will run. */
  | { event: 'planned'; suite: string; count: number }
  | { event: 'started'; suite: string; title: string; deadlineMs: number }
  /** The test that has started may take so many milliseconds more from now on, the machine being slow. */
  | { event: 'extended'; suite: string; title: string; ms: number }
  | { event: 'passed' | 'failed'; suite: string; title: string; ms: number }
  | { event: 'skipped'; suite: string; title: string; reason: string };

const descriptor = process.env.TEST_REPORT_FD;
// Test files that a test runs must not report into it.
delete process.env.TEST_REPORT_FD;

/** Synchronous, so that nothing is lost when the process dies right after. */
export function report(event: TestEvent): void {
  if (descriptor !== undefined) writeSync(Number(descriptor), `${JSON.stringify(event)}\n`);
}
