import { type BigIntStats, constants } from 'node:fs';
import { type CachedDigest, type StatCache, signatureOf } from '../cas/stat-cache.ts';
import type { Digest } from '../protocol/digest.ts';
import { isErrno } from '../runtime/errno.ts';
import { Breather } from './breather.ts';
import { type HashedFile, hashFile, hashSmallFile, nowNs, smallFileBytes } from './hash-file.ts';
import type { FileNode } from './tree-node.ts';

export type HashOutcome =
  /** `stats`: of the state that was hashed, where the file has changed since the node was made. */
  | { kind: 'hashed'; digest: Digest; stats: BigIntStats | undefined; isRacy: boolean }
  | { kind: 'unreadable' }
  | { kind: 'vanished' };

export interface HashRequest {
  file: FileNode;
  /** Absolute. */
  path: string;
}

export interface FileHasherOptions {
  cache: StatCache;
  /** Told four times a second, from the first second on. */
  onProgress?: ((hashedFiles: number, totalFiles: number) => void) | undefined;
}

const maxAttempts = 4;
const firstProgressMs = 1000;
const progressIntervalMs = 250;
/**
 * A write sets the time of its file before it copies the data: a file with a time as recent as this may still be
 * being filled by one large write, and its signature says nothing until the event at the end of it.
 */
const writeMarginNs = 2_000_000_000n;

/** Finds the digests of the project's files: from the stat cache, else by reading them. */
export class FileHasher {
  readonly #options: FileHasherOptions;

  constructor(options: FileHasherOptions) {
    this.#options = options;
  }

  /** What the cache knows of files below a path, for `hash`. */
  known(absolutePath: string): Promise<Map<string, CachedDigest>> {
    return this.#options.cache.load(absolutePath);
  }

  /**
   * Calls `onOutcome` once for each file, in any order. A file that changes while it is read is read again, a few
   * times; then what was read last stands, as racy, until the event of its next change.
   */
  async hash(
    requests: readonly HashRequest[],
    onOutcome: (file: FileNode, outcome: HashOutcome) => void,
    known?: ReadonlyMap<string, CachedDigest>,
  ): Promise<void> {
    const breather = new Breather();
    const startedMs = performance.now();
    let lastProgressMs = startedMs + firstProgressMs - progressIntervalMs;
    for (const [i, { file, path }] of requests.entries()) {
      if (breather.isDue) await breather.breathe();
      const cached = known?.get(path);
      if (cached && isCurrent(file, cached)) {
        onOutcome(file, { kind: 'hashed', digest: cached.digest, stats: undefined, isRacy: false });
        continue;
      }
      onOutcome(file, await this.#hashOne(file, path));
      if (performance.now() - lastProgressMs < progressIntervalMs) continue;
      lastProgressMs = performance.now();
      this.#options.onProgress?.(i + 1, requests.length);
    }
  }

  /** Remembers the digest of a file whose content is known for sure, since we have written it. */
  remember(path: string, file: FileNode): void {
    const { sizeBytes, mtimeNs, ctimeNs, inode, mode, digest } = file;
    const signature = { sizeBytes, mtimeNs, ctimeNs, inode: BigInt(inode), mode: constants.S_IFREG | mode };
    this.#options.cache.record(path, signature, digest!, nowNs() + 2n * writeMarginNs);
  }

  async #hashOne(file: FileNode, path: string): Promise<HashOutcome> {
    try {
      let hashed = await hashOnce(file, path);
      for (let attempt = 1; !hashed.isStable && attempt < maxAttempts; attempt++) hashed = await hashOnce(file, path);
      const { digest, stats, readAtNs, isStable } = hashed;
      if (isStable) this.#options.cache.record(path, signatureOf(stats), digest, readAtNs);
      const isRacy = !isStable || stats.ctimeNs > readAtNs - writeMarginNs;
      return { kind: 'hashed', digest, stats: file.matches(stats) && isStable ? undefined : stats, isRacy };
    } catch (error) {
      if (isErrno(error, 'EACCES', 'EPERM')) return { kind: 'unreadable' };
      if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'ENXIO')) return { kind: 'vanished' };
      throw error;
    }
  }
}

async function hashOnce(file: FileNode, path: string): Promise<HashedFile> {
  const small = file.sizeBytes <= smallFileBytes ? hashSmallFile(path) : undefined;
  return small ?? (await hashFile(path));
}

function isCurrent(file: FileNode, cached: CachedDigest): boolean {
  return (
    file.ctimeNs === cached.ctimeNs &&
    file.mtimeNs === cached.mtimeNs &&
    file.sizeBytes === cached.sizeBytes &&
    file.inode === Number(cached.inode) &&
    file.mode === (cached.mode & 0o7777)
  );
}
