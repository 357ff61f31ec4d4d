import { accessSync, type BigIntStats, constants, lstatSync } from 'node:fs';
import type { Directory } from '../cas/directory.ts';
import { lookUpEntry, lookUpSelf } from '../cas/directory-lookup.ts';
import { equalSignatures, type StatCache, type StatSignature, signatureOf } from '../cas/stat-cache.ts';
import type { Digest } from '../protocol/digest.ts';
import { type Observation, ObservationFlag } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { Flights } from '../runtime/flights.ts';
import { isPassable } from './caller-rights.ts';
import { digestOfFile } from './digest-of-file.ts';
import { namesIn } from './path-state.ts';
import {
  emptyListing,
  isPrivate,
  listSystemDirectory,
  type SystemListing,
  systemError,
} from './system-listing.ts';
import type { Changes, Watcher } from './watcher.ts';

export interface SystemLayerOptions {
  watcher: Pick<Watcher, 'watchDirectory' | 'unwatchDirectory'>;
  cache: StatCache;
  /** Absolute paths shown as empty directories: the project, our own state, and what is the machine's own business. */
  hidden: readonly string[];
}

/** Never mirrored: state of the kernel and of running programs; a sandbox has its own. */
export const alwaysHidden = [
  '/proc',
  '/sys',
  '/dev',
  '/selinux',
  '/cgroup',
  '/tmp',
  '/var/tmp',
  '/run',
] as const;

/** Errors of a look-up that are answers to the job; anything else is trouble of ours. */
const answers = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG'] as const;

/**
 * Everything outside the project, listed when asked for. Within an epoch it does not change: each directory is watched
 * before it is listed, and when what was served turns out to have changed, the epoch counts up and all is asked anew.
 */
export class SystemLayer {
  readonly #options: SystemLayerOptions;
  readonly #hidden: ReadonlySet<string>;
  readonly #listings = new Map<string, SystemListing>();
  readonly #listing = new Flights<SystemListing>();
  readonly #served = new Map<string, StatSignature>();
  readonly #digesting = new Flights<Digest>();
  readonly #pathByHash = new Map<string, string>();
  #epoch = 1;

  constructor(options: SystemLayerOptions) {
    this.#options = options;
    this.#hidden = new Set(options.hidden);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** See `Origin`. @throws AppError `cannot-watch` when the directory cannot be watched, so could change unseen */
  async listDirectory(path: string): Promise<Uint8Array> {
    return (await this.#list(path)).bytes;
  }

  /** See `Origin`. The content is to be had from the path until the epoch ends. */
  digestFile(path: string): Promise<Digest> {
    return this.#digesting.join(path, () => this.#digestFile(path));
  }

  async #digestFile(path: string): Promise<Digest> {
    const { digest } = await this.#serve(path, (stats) => digestOfFile(path, stats, this.#options.cache));
    this.#pathByHash.set(digest.hash, path);
    return digest;
  }

  /** See `LocalFiles`. */
  async signFile(path: string): Promise<StatSignature> {
    const { signature } = await this.#serve(path, (stats) => {
      // The job would find out only when it reads, too late for us to know that it is this that it cannot do.
      accessSync(fsPath(path), constants.R_OK);
      return { signature: signatureOf(stats) };
    });
    return signature;
  }

  /** What `look` finds at a path that is a file as it was listed, and as it was served before in this epoch. */
  async #serve<T extends { signature: StatSignature }>(
    path: string,
    look: (stats: BigIntStats) => T | Promise<T>,
  ): Promise<T> {
    const slash = path.lastIndexOf('/');
    const directory = path.slice(0, slash) || '/';
    const epoch = this.#epoch;
    const listing = await this.#list(directory);
    const listed = listing.files.get(path.slice(slash + 1));
    const stats = lstatSync(fsPath(path), { bigint: true });
    if (isPrivate(stats)) throw systemError('EACCES', `"${path}" is only for its owner`);
    if (!stats.isFile()) throw systemError('ENOENT', `no regular file: "${path}"`);
    const found = await look(stats);
    const { signature } = found;
    const served = this.#served.get(path);
    const isAsListed =
      listed?.sizeBytes === signature.sizeBytes &&
      listed.mtimeNs === signature.mtimeNs &&
      (epoch === this.#epoch || this.#listings.get(directory)?.bytes.equals(listing.bytes));
    if (!isAsListed || (served && !equalSignatures(served, signature))) {
      if (epoch === this.#epoch) this.endEpoch();
      throw new AppError(`Cannot read "${path}": it was changed just now`, { code: 'epoch-ended' });
    }
    this.#served.set(path, signature);
    return found;
  }

  /**
   * The state of a path outside of the project as jobs of this epoch see it, as far as one that observed it so can tell:
   * as `presentState` (path-state.ts). It holds if the epoch is the same before and after.
   *
   * @throws AppError when nothing can be said, also `epoch-ended`
   */
  async describe({ path, flags }: Observation): Promise<string> {
    if (path === '/') return this.#describeDirectory(path, flags);
    if (this.#hidden.has(path)) return 'hidden';
    const slash = path.lastIndexOf('/');
    let entry: Directory | undefined;
    try {
      entry = lookUpEntry((await this.#list(path.slice(0, slash) || '/')).bytes, path.slice(slash + 1));
    } catch (error) {
      return answerOf(error);
    }
    if (entry?.directories[0]) return this.#describeDirectory(path, flags);
    if (entry?.symlinks[0]) return `l ${entry.symlinks[0].target}`;
    const file = entry?.files[0];
    if (!file) return 'absent';
    if (!(flags & ObservationFlag.read) || file.type !== 'file')
      return `${file.type === 'file' ? 'f' : 'p'} ${allowed(file)} ${file.digest.sizeBytes}`;
    try {
      return `f ${allowed(file)} ${(await this.digestFile(path)).hash}`;
    } catch (error) {
      return answerOf(error);
    }
  }

  /** Where content of this digest was found in this epoch. */
  pathWith({ hash }: Digest): string | undefined {
    return this.#pathByHash.get(hash);
  }

  /** Takes in what changed on the machine; paths that do not matter here are ignored. */
  absorb({ paths, overflow }: Changes): void {
    if (this.#listings.size === 0) return;
    const suspects = new Set<string>(overflow ? this.#listings.keys() : []);
    for (const path of overflow ? [] : paths) {
      const parent = path.slice(0, path.lastIndexOf('/')) || '/';
      for (const directory of [path, parent]) if (this.#listings.has(directory)) suspects.add(directory);
    }
    const files = overflow ? this.#served.keys() : paths.filter((path) => this.#served.has(path));
    const hasChanged =
      [...suspects].some((path) => !this.#isAsListed(path)) ||
      [...files].some((path) => !looksLike(path, this.#served.get(path)!));
    if (hasChanged) this.endEpoch();
  }

  /** Looks for changes that nobody was told of: also of what was only listed, where that can be. */
  recheck(): void {
    const hasChanged =
      [...this.#served].some(([path, signature]) => !looksLike(path, signature)) ||
      [...this.#listings].some(([path, { own, linked, isLocal }]) => {
        if (!isLocal) return !this.#isAsListed(path);
        const isSame = [...linked].every(([name, signature]) => looksLike(`${path}/${name}`, signature));
        return !isSame || !looksLike(path, own);
      });
    if (hasChanged) this.endEpoch();
  }

  /** Forgets everything: nothing is known of what has changed. */
  endEpoch(): void {
    this.#epoch += 1;
    for (const path of this.#listings.keys()) this.#options.watcher.unwatchDirectory(path);
    this.#listings.clear();
    this.#served.clear();
    this.#pathByHash.clear();
  }

  async #describeDirectory(path: string, flags: number): Promise<string> {
    try {
      const { bytes } = await this.#list(path);
      const names = flags & ObservationFlag.listed ? ` ${namesIn(bytes)}` : '';
      return `d ${allowed(lookUpSelf(bytes))}${names}`;
    } catch (error) {
      return answerOf(error);
    }
  }

  #isAsListed(path: string): boolean {
    try {
      return listSystemDirectory(path).bytes.equals(this.#listings.get(path)!.bytes);
    } catch (error) {
      if (isErrno(error, ...answers)) return false;
      throw error;
    }
  }

  async #list(path: string): Promise<Pick<SystemListing, 'bytes' | 'files'>> {
    const known = this.#listings.get(path);
    if (known) return known;
    if (!isClean(path)) throw systemError('ENOENT', `no clean absolute path: "${path}"`);
    if (this.#hidden.has(path)) return emptyListing;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (this.#hidden.has(path.slice(0, end))) throw systemError('ENOENT', `not mirrored: "${path}"`);
    }
    return this.#listing.join(path, () => this.#watchAndList(path));
  }

  async #watchAndList(path: string): Promise<SystemListing> {
    for (;;) {
      const epoch = this.#epoch;
      try {
        await this.#options.watcher.watchDirectory(path);
      } catch (cause) {
        // To watch a directory takes the right to list it.
        if (isErrno(cause, 'EACCES') && isPassable(path))
          throw systemError('EPERM', `may be passed, not be listed: "${path}"`);
        if (isErrno(cause, ...answers)) throw cause;
        throw new AppError(`Cannot mirror "${path}"`, { code: 'cannot-watch', cause });
      }
      // Otherwise the watch may have been ended together with the epoch.
      if (epoch !== this.#epoch) continue;
      const listing = listSystemDirectory(path);
      this.#listings.set(path, listing);
      return listing;
    }
  }
}

function looksLike(path: string, signature: StatSignature): boolean {
  try {
    return equalSignatures(signature, signatureOf(lstatSync(fsPath(path), { bigint: true })));
  } catch (error) {
    if (isErrno(error, ...answers)) return false;
    throw error;
  }
}

/** What a job may do with it. */
function allowed({ mode, rights }: Pick<Directory, 'mode' | 'rights'>): string {
  return rights ? `${mode} ${rights}` : `${mode}`;
}

/** An error that is an answer to the job, as a state. */
function answerOf(error: unknown): string {
  if (isErrno(error, ...answers)) return String((error as NodeJS.ErrnoException).code);
  throw error;
}

function isClean(path: string): boolean {
  if (path === '/') return true;
  return (
    path.startsWith('/') &&
    !path.includes('\0') &&
    path
      .slice(1)
      .split('/')
      .every((name) => name !== '' && name !== '.' && name !== '..')
  );
}
