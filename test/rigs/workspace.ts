import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { decodeDirectory } from '../../cas/directory.ts';
import { FileBlobStore } from '../../cas/file-blob-store.ts';
import { MemoryBlobStore } from '../../cas/memory-blob-store.ts';
import { StatCache } from '../../cas/stat-cache.ts';
import type { CommitOptions } from '../../master/commit.ts';
import { FileHasher } from '../../master/file-hasher.ts';
import { openWorkspace, type WorkspaceOptions } from '../../master/open-workspace.ts';
import { Refresh } from '../../master/refresh.ts';
import { Snapshot } from '../../master/snapshot.ts';
import type { Workspace } from '../../master/workspace.ts';
import type { Digest } from '../../protocol/digest.ts';
import type { Change, Manifest, TreeNode } from '../../protocol/job.ts';
import { compareBytes, decodeBytes, fsPath } from '../../runtime/byte-path.ts';
import { isErrno } from '../../runtime/errno.ts';
import type { Result } from '../../runtime/failure.ts';
import { Scope } from '../../runtime/scope.ts';
import { tempDir } from '../harness/temp-dir.ts';

export interface WorkspaceRig extends AsyncDisposable {
  workspace: Workspace;
  /** Absolute path of the project. */
  project: string;
  store: FileBlobStore;
  notices: string[];
  /** What executors would have: content given to `file` goes here. */
  remote: MemoryBlobStore;
  /** Commits, and asserts that `onCommitting` was called if and only if it succeeded. */
  commit(manifest: Manifest, options?: Partial<CommitOptions>): Promise<Result<void>>;
  /** What a file with this content is to be; stamped `now` unless told. */
  file(content: string | Uint8Array, options?: { mode?: number; mtimeNs?: bigint }): TreeNode;
}

/** A workspace over `<dir>/project`, which is made if need be, with state in `<dir>/state` and `<dir>/cas`. */
export async function workspaceRig(
  dir: string,
  options: Partial<WorkspaceOptions> = {},
): Promise<WorkspaceRig> {
  const scope = new Scope();
  const project = join(dir, 'project');
  mkdirSync(project, { recursive: true });
  const notices: string[] = [];
  const onNotice = (message: string) => void notices.push(message);
  const store = await FileBlobStore.open(join(dir, 'cas'));
  const cache = scope.use(await StatCache.open(join(dir, 'state/db'), { onNotice }));
  const workspace = scope.use(
    await openWorkspace({
      projectRoot: project,
      stateDir: join(dir, 'state'),
      store,
      cache,
      readStdin: async () => new Uint8Array(),
      onNotice,
      ...options,
    }),
  );
  const remote = new MemoryBlobStore();
  const puts: Promise<void>[] = [];
  return {
    workspace,
    project,
    store,
    notices,
    remote,
    async commit(manifest, options) {
      await Promise.all(puts);
      let committing = 0;
      const result = await workspace.commit(manifest, {
        content: remote,
        onCommitting: () => void committing++,
        ...options,
        signal: new AbortController().signal,
      });
      assert.is(committing, result.ok ? 1 : 0, 'onCommitting');
      return result;
    },
    file(content, { mode = 0o644, mtimeNs = nowNs() } = {}) {
      const bytes = Buffer.from(content as string);
      const digest = digestOf(bytes);
      puts.push(remote.put(digest, bytes));
      return { type: 'file', digest, mode, mtimeNs };
    },
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

export interface PlannedChange {
  path: string;
  node: TreeNode | null;
  linkGroup?: number;
}

/** A manifest of a command that ran just now on what is in `project` now. */
export function manifestOf(
  project: string,
  changes: readonly PlannedChange[],
  // Before any time that a test has given to a file as that of now.
  startedNs = nowNs() - 10_000_000_000n,
  finishedNs = startedNs > nowNs() ? startedNs : nowNs(),
): Manifest {
  const described = changes.map(
    ({ path, ...change }): Change => ({ path, base: nodeAt(join(project, path)), ...change }),
  );
  return {
    status: { kind: 'exit', code: 0 },
    stdout: digestOf(Buffer.alloc(0)),
    stderr: digestOf(Buffer.alloc(0)),
    changes: described.sort((a, b) => compareBytes(a.path, b.path)),
    reached: [],
    hiddenTrace: [],
    trace: [],
    startedNs,
    finishedNs,
    resources: { userUs: 0, systemUs: 0, maxRssKib: 0 },
  };
}

/** What stands at an absolute path. */
export function nodeAt(path: string): TreeNode | null {
  try {
    const stats = lstatSync(fsPath(path), { bigint: true });
    const mode = Number(stats.mode) & 0o7777;
    const { mtimeNs } = stats;
    if (stats.isDirectory()) return { type: 'directory', mode, mtimeNs };
    if (stats.isFIFO()) return { type: 'fifo', mode };
    if (!stats.isSymbolicLink())
      return { type: 'file', digest: digestOf(readFileSync(fsPath(path))), mode, mtimeNs };
    return { type: 'symlink', target: decodeBytes(readlinkSync(fsPath(path), { encoding: 'buffer' })) };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}

/** Commits that were begun and not ended, by the journal on disk. */
export function begunCommits(stateDir: string): string[] {
  const dir = join(stateDir, 'journal');
  return readdirSync(dir).filter((name) => readFileSync(join(dir, name))[0] !== 0);
}

export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** Asserts that a workspace's snapshot is what is on the disk now, every file read afresh. */
export async function assertUpToDate({ workspace, project }: WorkspaceRig, what = ''): Promise<void> {
  const { root } = await workspace.snapshot();
  await using scope = new Scope();
  await using state = await tempDir();
  const fresh = new Snapshot({
    stats: lstatSync(fsPath(project), { bigint: true }),
    spill: () => assert.unreachable('no former trees'),
  });
  const onNotice = () => {};
  const cache = scope.use(await StatCache.open(state.join('db'), { onNotice }));
  const hasher = new FileHasher(cache);
  await new Refresh({ projectRoot: project, snapshot: fresh, hasher, excluded: [], onNotice }).everything();
  const expected = await describeTree(fresh.rootDigest(), async (digest) => fresh.directoryBlob(digest));
  const actual = await describeTree(root, (digest) => workspace.origin.blobs.get(digest));
  assert.equal(actual, expected, `the disk ${what}`);
  assert.equal(root, fresh.rootDigest());
}

/** One line for each entry of a tree. */
async function describeTree(
  root: Digest,
  get: (digest: Digest) => Promise<Buffer | undefined>,
  path = '.',
): Promise<string[]> {
  const blob = await get(root);
  assert.ok(blob, `Directory of ${path}`);
  const { files, directories, symlinks, mode, mtimeNs } = decodeDirectory(blob);
  const lines = [`${path}/ ${mode} ${mtimeNs}`];
  for (const file of files) {
    const { hash, sizeBytes } = file.digest;
    lines.push(
      `${path}/${file.name} ${file.type} ${file.mode} ${file.mtimeNs} ${hash.slice(0, 8)} ${sizeBytes}`,
    );
  }
  for (const { name, target, mtimeNs } of symlinks) lines.push(`${path}/${name} -> ${target} ${mtimeNs}`);
  for (const { name, digest } of directories)
    lines.push(...(await describeTree(digest!, get, `${path}/${name}`)));
  return lines;
}
