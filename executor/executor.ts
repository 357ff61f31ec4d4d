import type { Job, JobResult } from '../protocol/job.ts';

/**
 * Runs jobs. An expected failure is a result (`ok: false`), never a throw; aborting `signal` kills the command and
 * resolves to the failure `cancelled`. Any number of jobs may be given at once; implementations queue them.
 */
export interface Executor {
  execute(job: Job, options: { signal: AbortSignal }): Promise<JobResult>;
}
