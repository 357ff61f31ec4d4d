import { ActionCache } from '../cas/action-cache.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { describeError } from '../runtime/app-error.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Scope } from '../runtime/scope.ts';
import { distortions } from './distort-state.ts';
import { openWhenFree } from './open-when-free.ts';
import { ResultCache } from './result-cache.ts';
import { SystemGenerations } from './system-generations.ts';
import type { Workspace } from './workspace.ts';

export interface OpenResultCacheOptions {
  /** Absolute path of its database. */
  dir: string;
  workspace: Workspace;
  store: FileBlobStore;
  /** Closes what is opened. */
  scope: Scope;
  onNotice: (message: string) => void;
  /** For tests, see distort-state.ts. */
  distortion?: string | undefined;
}

/** Another project's master looks at results for milliseconds; without them a build is only slower. */
const lockPatienceMs = 1_000;

/** @returns undefined, and says why, when the database cannot be opened: builds go on without past results */
export async function openResultCache(options: OpenResultCacheOptions): Promise<ResultCache | undefined> {
  const { dir, workspace, store, scope, onNotice } = options;
  try {
    const cache = scope.use(await openWhenFree(() => ActionCache.open(dir, { onNotice }), lockPatienceMs));
    const generations = new SystemGenerations({
      cache,
      describe: (observation) => workspace.inputs.describeSystem(observation),
      changes: workspace.systemChanges,
    });
    return scope.use(
      new ResultCache({
        ...{ cache, generations, workspace, store, clock: systemClock, onNotice },
        distortState: distortions[options.distortion ?? ''],
      }),
    );
  } catch (error) {
    onNotice(`every command will be run: ${describeError(error)}`);
    return undefined;
  }
}
