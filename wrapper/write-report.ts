import { writeFileSync } from 'node:fs';
import type { Report } from '../protocol/control.ts';
import { AppError } from '../runtime/app-error.ts';

/** For $TERMITE_REPORT. @throws AppError `cannot-write` */
export function writeReport(file: string, report: Report): void {
  try {
    writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  } catch (cause) {
    throw new AppError(`Cannot write the report "${file}"`, {
      code: 'cannot-write',
      category: 'caller',
      cause,
    });
  }
}
