import { cpus } from 'node:os';
import { noLimit, type ProcessContext, plainContext } from '../protocol/process-context.ts';
import type { RunRequest } from '../protocol/run-request.ts';
import { isToolchainOnly } from './toolchain.ts';

/** CPU, FSIZE, DATA, STACK, CORE, NOFILE, AS: what programs look at, and what does not follow the size of the machine. */
const countedLimits = new Set([0, 1, 2, 3, 4, 7, 9]);

/** Of this machine. */
const processorCount = cpus().length;

/**
 * What of a caller's context a job has. Who may use all processors of this machine has those of the executor, whatever their
 * number is there.
 */
export function shownContext(context: ProcessContext): ProcessContext {
  return bitsIn(context.processors) < processorCount ? context : { ...context, processors: [] };
}

function bitsIn(words: readonly bigint[]): number {
  return words.reduce((sum, word) => sum + word.toString(2).replaceAll('0', '').length, 0);
}

/**
 * What of a caller's context counts for the cache. Of compilers and their like nothing does: their results are the same under any
 * limit that they do not fail under, and no host name gets into them.
 */
export function countedContext(request: Pick<RunRequest, 'argv' | 'isExec' | 'context'>): ProcessContext {
  if (isToolchainOnly(request)) return plainContext;
  const limits = request.context.limits.map((limit, number): [bigint, bigint] =>
    countedLimits.has(number) ? limit : [noLimit, noLimit],
  );
  return { ...request.context, limits };
}
