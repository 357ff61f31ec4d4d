import { SystemChanges } from '../../master/system-changes.ts';
import type { Workspace } from '../../master/workspace.ts';
import type { Digest } from '../../protocol/digest.ts';
import type { Manifest } from '../../protocol/job.ts';
import { type Result, succeed } from '../../runtime/failure.ts';

export const someDigest: Digest = { hash: 'ab'.repeat(32), sizeBytes: 0 };

/** A workspace that does what the test says, and counts. */
export class FakeWorkspace implements Workspace {
  readonly projectRoot = '/project';
  readonly fileCount = 3;
  readonly systemChanges = new SystemChanges();
  readonly committed: Manifest[] = [];
  snapshots = 0;
  onSnapshot: () => Promise<void> = async () => {};
  /** Replaces what happens before anything is changed. */
  beforeCommit: (signal: AbortSignal) => Promise<Result<void>> = async () => succeed(undefined);
  /** Happens once outputs are being applied. */
  whileCommitting: () => Promise<void> = async () => {};

  get origin(): never {
    throw new Error('No executor of a test asks for content');
  }

  get inputs(): never {
    throw new Error('No cache of a test asks for inputs');
  }

  async refresh() {
    return this.systemChanges.revision;
  }

  async beginSession() {
    return true;
  }

  async recheck() {}

  async settle() {}

  async snapshot() {
    this.snapshots += 1;
    await this.onSnapshot();
    return { root: someDigest, epoch: 1, revision: 0 };
  }

  async commit(manifest: Manifest, options: Parameters<Workspace['commit']>[1]): Promise<Result<void>> {
    const before = await this.beforeCommit(options.signal);
    if (!before.ok) return before;
    options.onCommitting();
    await this.whileCommitting();
    this.committed.push(manifest);
    return before;
  }

  async [Symbol.asyncDispose]() {}
}
