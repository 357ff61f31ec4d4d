import { type BigIntStats, constants } from 'node:fs';
import { type CachedDigest, type StatCache, signatureOf } from '../cas/stat-cache.ts';
import type { Digest } from '../protocol/digest.ts';
import { isErrno } from '../runtime/errno.ts';
import { Breather } from './breather.ts';
import { type HashedFile, hashFile, hashSmallFile, nowNs, smallFileBytes } from './hash-file.ts';
import type { FileNode } from './tree-node.ts';

export type HashOutcome =
  /** `stats`: of the state that was hashed, where the file has changed since the node was made. `isRead`: just now. */
  | { kind: 'hashed'; digest: Digest; stats: BigIntStats | undefined; isRacy: boolean; isRead: boolean }
  | { kind: 'unreadable' }
  | { kind: 'vanished' };

export interface HashRequest {
  file: FileNode;
  /** Absolute. */
  path: string;
}

export interface HashOptions {
  /** What the cache has for the paths; absent: they are new, do not ask it. */
  known?: ReadonlyMap<string, CachedDigest> | undefined;
  /** Called after each file that had to be read. */
  onRead?: (() => void) | undefined;
}

const maxAttempts = 4;
/**
 * A write sets the time of its file before it copies the data: a file with a time as recent as this may still be
 * being filled by one large write, and its signature says nothing until the event at the end of it.
 */
const writeMarginNs = 2_000_000_000n;

/** Finds the digests of the project's files: from the stat cache, else by reading them. */
export class FileHasher {
  readonly #cache: StatCache;

  constructor(cache: StatCache) {
    this.#cache = cache;
  }

  /** What the cache knows of everything below a directory, for `hash`. */
  knownBelow(absolutePath: string): Promise<Map<string, CachedDigest>> {
    return this.#cache.load(absolutePath);
  }

  /** The same of some paths. */
  async knownOf(absolutePaths: readonly string[]): Promise<Map<string, CachedDigest>> {
    const known = new Map<string, CachedDigest>();
    for (const path of absolutePaths) {
      const cached = await this.#cache.get(path);
      if (cached) known.set(path, cached);
    }
    return known;
  }

  /**
   * Calls `onOutcome` once for each file, in any order. A file that changes while it is read is read again, a few
   * times; then what was read last stands, as racy, until the event of its next change.
   */
  async hash(
    requests: readonly HashRequest[],
    onOutcome: (file: FileNode, outcome: HashOutcome) => void,
    { known, onRead }: HashOptions = {},
  ): Promise<void> {
    const breather = new Breather();
    for (const { file, path } of requests) {
      if (breather.isDue) await breather.breathe();
      const cached = known?.get(path);
      if (cached && isCurrent(file, cached)) {
        const { digest } = cached;
        onOutcome(file, { kind: 'hashed', digest, stats: undefined, isRacy: false, isRead: false });
        continue;
      }
      onOutcome(file, await this.#hashOne(file, path));
      onRead?.();
    }
  }

  /** Remembers the digest of a file whose content is known for sure, since we have written it. */
  remember(path: string, file: FileNode): void {
    const { sizeBytes, mtimeNs, ctimeNs, inode, mode, digest } = file;
    const signature = { sizeBytes, mtimeNs, ctimeNs, inode: BigInt(inode), mode: constants.S_IFREG | mode };
    this.#cache.record(path, signature, digest!, nowNs() + 2n * writeMarginNs);
  }

  /** For a file that may change without looking different. */
  forget(path: string): void {
    this.#cache.forget(path);
  }

  async #hashOne(file: FileNode, path: string): Promise<HashOutcome> {
    try {
      let hashed = await hashOnce(file, path);
      for (let attempt = 1; !hashed.isStable && attempt < maxAttempts; attempt++)
        hashed = await hashOnce(file, path);
      const { digest, stats, readAtNs, isStable } = hashed;
      if (isStable) this.#cache.record(path, signatureOf(stats), digest, readAtNs);
      const isRacy = !isStable || stats.ctimeNs > readAtNs - writeMarginNs;
      const changed = file.matches(stats) && isStable ? undefined : stats;
      return { kind: 'hashed', digest, stats: changed, isRacy, isRead: true };
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
