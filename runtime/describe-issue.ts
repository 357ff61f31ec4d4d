import type { z } from 'zod';

/** The first thing that a schema has found wrong, in one line: `changes.0.mode: Too big: expected number to be <=4095`. */
export function describeIssue({ issues: [issue] }: z.ZodError): string {
  const path = issue!.path.map(String).join('.');
  return path === '' ? issue!.message : `${path}: ${issue!.message}`;
}
