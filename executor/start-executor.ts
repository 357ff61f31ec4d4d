import { availableParallelism } from 'node:os';
import type { Job } from '../protocol/job.ts';
import { Scope } from '../runtime/scope.ts';
import { BoxClient } from './box-client.ts';
import type { ContentStore } from './content.ts';
import type { Executor } from './executor.ts';
import { JobMemory } from './job-memory.ts';
import { OomKills } from './oom-kills.ts';
import type { Origin } from './origin.ts';
import type { OutputStore } from './outputs.ts';
import { SandboxExecutor } from './sandbox-executor.ts';
import { Slots } from './slots.ts';
import { Sources } from './sources.ts';
import { SystemMirrors } from './system-mirrors.ts';
import { WorkDir } from './work-dir.ts';

/** Far above the ids of people and services. */
const defaultHostId = 200_000;

export interface StartExecutorOptions {
  /** For failures. */
  name: string;
  /** Shared with whoever else uses it; stays open. */
  store: ContentStore & OutputStore & { readonly dir: string };
  /** Where to make a work folder, absolute; best on the file system of the store. */
  workParent: string;
  /** The machine that a job comes from; closed by the executor where it can be. */
  openOrigin: (origin: Job['origin']) => Origin & Partial<AsyncDisposable>;
  /** Jobs at the same time; one per processor unless told. */
  slotCount?: number;
  /**
   * What the files of one job may take in memory before they are on disk, 0: they always are; unless told an eighth of
   * the available memory, shared by all slots.
   */
  memoryBytesPerJob?: number | undefined;
  /** The uid and gid that jobs run as, outside their sandboxes, when this process is root; 200,000 unless told. */
  hostId?: number;
  /** For tests: the file to read instead of /proc/vmstat. */
  vmstatFile?: string;
}

/** Closing it ends all jobs, unmounts and removes everything. */
export interface RunningExecutor extends AsyncDisposable {
  readonly executor: Executor;
  readonly slots: Slots;
  readonly mirrors: SystemMirrors;
}

/**
 * Starts an executor in this process.
 *
 * @throws AppError `no-fuse`, `no-user-namespaces` or `no-sandbox`, when no sandbox can be had on this machine
 */
export async function startExecutor(options: StartExecutorOptions): Promise<RunningExecutor> {
  const { name, store, workParent, openOrigin } = options;
  const { slotCount = availableParallelism(), memoryBytesPerJob, hostId = defaultHostId } = options;
  const scope = new Scope();
  try {
    const workDir = scope.use(await WorkDir.open(workParent));
    const sources = scope.use(new Sources({ name, store, openOrigin }));
    const box = scope.use(new BoxClient({ dir: workDir.path, storeDir: store.dir, hostId }));
    const mirrors = scope.use(new SystemMirrors({ dir: workDir.makeDir('mirrors') }));
    await box.box();
    const slots = new Slots(slotCount);
    const executor = new SandboxExecutor({
      ...{ name, box, mirrors, slots, store },
      oomKills: new OomKills(options.vmstatFile),
      memory: new JobMemory({ slotCount, bytesPerJob: memoryBytesPerJob }),
      jobsDir: workDir.makeDir('jobs'),
      hostId,
      sourceOf: (origin) => sources.of(origin),
    });
    return { executor, slots, mirrors, [Symbol.asyncDispose]: () => scope.close() };
  } catch (error) {
    await scope.close();
    throw error;
  }
}
