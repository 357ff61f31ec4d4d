import { plainContext } from '../../protocol/process-context.ts';
import type { RunRequest } from '../../protocol/run-request.ts';

/** A request as a shell makes it for a line, with what a test wants changed. */
export function runRequest(line: string, changes: Partial<RunRequest> = {}): RunRequest {
  return {
    argv: ['-c', line],
    shell: '/bin/sh',
    cwd: '/project',
    env: [],
    umask: 0o022,
    mergeOutput: false,
    hasJobserver: false,
    isStdinEmpty: true,
    isStdinTerminal: false,
    isExec: false,
    processId: 0,
    context: plainContext,
    ...changes,
  };
}
