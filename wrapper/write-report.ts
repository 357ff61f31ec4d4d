import { writeFileSync } from 'node:fs';
import type { Report } from '../protocol/control.ts';
import { describeError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';

/** For $TERMITE_REPORT. What was built does not depend on it: a file that cannot be written is only told of. */
export function writeReport(file: string, report: Report, say: (message: string) => void): void {
  try {
    writeFileSync(fsPath(file), `${JSON.stringify(report, undefined, 2)}\n`);
  } catch (error) {
    say(`cannot write the report "${file}": ${describeError(error)}`);
  }
}
