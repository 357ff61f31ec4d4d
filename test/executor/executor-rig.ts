import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { type RunningExecutor, startExecutor } from '../../executor/start-executor.ts';
import { shownDirectories } from '../../master/own-places.ts';
import type { Job, JobResult, Manifest } from '../../protocol/job.ts';
import { AppError, explainError } from '../../runtime/app-error.ts';
import type { Limit } from '../../runtime/limit.ts';
import { ownContext } from '../../wrapper/own-context.ts';
import { skip } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';
import { DiskOrigin } from './disk-origin.ts';

export interface ExecutorRigOptions {
  slotCount?: number;
  /** See `StartExecutorOptions`. */
  memoryBytesPerJob?: number;
  /** Where to make the folders; the default is the system's temporary directory. */
  parent?: string;
  /** Folder of the store, absolute, if not below the rig's folder. */
  storeDir?: string;
  /** Stands for /proc/vmstat; absolute. */
  vmstatFile?: string;
}

/** A real executor, a project folder, and this machine as their origin. */
export interface ExecutorRig extends AsyncDisposable {
  readonly dir: TempDir;
  readonly project: string;
  readonly store: FileBlobStore;
  readonly origin: DiskOrigin;
  readonly running: RunningExecutor;
  /** A job in the project as it is now. */
  job(argv: readonly string[], overrides?: Partial<Job>): Job;
  execute(
    argv: readonly string[],
    overrides?: Partial<Job>,
    options?: { signal?: AbortSignal },
  ): Promise<JobResult>;
  /** Runs a shell command line that must give a result. */
  sh(line: string, overrides?: Partial<Job>): Promise<Outcome>;
}

export interface Outcome {
  status: Manifest['status'];
  stdout: string;
  stderr: string;
  manifest: Manifest;
}

let jobCount = 0;

/** Skips the calling test where this machine cannot have sandboxes. */
export async function executorRig(options: ExecutorRigOptions = {}): Promise<ExecutorRig> {
  const dir = await tempDir(options.parent);
  const project = dir.join('project');
  dir.write('project/hello.txt', 'hello\n');
  const store = await FileBlobStore.open(options.storeDir ?? dir.join('cas'));
  const origin = new DiskOrigin();
  const running = await startOrSkip({
    name: 'rig',
    store,
    workParent: dir.join('executor'),
    slotCount: options.slotCount ?? 2,
    memoryBytesPerJob: options.memoryBytesPerJob,
    openOrigin: () => origin,
    ...(options.vmstatFile !== undefined && { vmstatFile: options.vmstatFile }),
  });
  const job = (argv: readonly string[], overrides: Partial<Job> = {}): Job => ({
    id: `job-${++jobCount}`,
    origin: { id: 'here', epoch: 1, revision: 0, url: 'https://127.0.0.1:1' },
    projectRoot: project,
    root: origin.snapshot(project),
    argv: [...argv],
    env: ['PATH=/usr/bin:/bin', 'LC_ALL=C'],
    cwd: project,
    umask: 0o22,
    uid: process.getuid!(),
    gid: process.getgid!(),
    home: '',
    context: ownContext(),
    shown: shownDirectories({ projectRoot: project, home: '', env: [] }),
    mergeOutput: false,
    forwardStdin: false,
    network: false,
    timeoutMs: 0,
    slots: 1,
    ...overrides,
  });
  const execute: ExecutorRig['execute'] = (argv, overrides, { signal } = {}) =>
    running.executor.execute(job(argv, overrides), { signal: signal ?? new AbortController().signal });
  const text = async (digest: Manifest['stdout']) => {
    const content = await store.get(digest);
    if (!content) throw new Error('Output is not in the store');
    return content.toString('latin1');
  };
  return {
    ...{ dir, project, store, origin, running, job, execute },
    async sh(line, overrides) {
      const result = await execute(['/bin/sh', '-c', line], overrides);
      if (!result.ok) throw new Error(`No result: ${JSON.stringify(result.failure)}`);
      const { status, stdout, stderr } = result.value;
      return { status, stdout: await text(stdout), stderr: await text(stderr), manifest: result.value };
    },
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function startOrSkip(options: Parameters<typeof startExecutor>[0]): Promise<RunningExecutor> {
  try {
    return await startExecutor(options);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return skip(explainError(error), error.code === 'no-fuse' ? 'fuse' : 'sandbox');
  }
}

/** The limits that a command reached, whether or not that ended it. */
export async function reached(rig: ExecutorRig, line: string, overrides?: Partial<Job>): Promise<Limit[]> {
  const result = await rig.execute(['/bin/sh', '-c', line], overrides);
  if (result.ok) return result.value.reached;
  if (result.failure.reason === 'limit') return [result.failure.limit];
  throw new Error(`No result: ${JSON.stringify(result.failure)}`);
}
