import { type BigIntStats, closeSync, fstatSync, lstatSync, openSync } from 'node:fs';
import type { Directory } from '../cas/directory.ts';
import { lookUpEntry, lookUpSelf } from '../cas/directory-lookup.ts';
import { equalSignatures, type StatCache, type StatSignature, signatureOf } from '../cas/stat-cache.ts';
import type { Amendments } from '../protocol/amendments.ts';
import type { Digest } from '../protocol/digest.ts';
import { type Observation, ObservationFlag } from '../protocol/job.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { Flights } from '../runtime/flights.ts';
import { isPassable } from './caller-rights.ts';
import { digestOfFile } from './digest-of-file.ts';
import { expectPlace } from './expect-place.ts';
import { openFlags } from './hash-file.ts';
import { OpenFolders } from './open-folders.ts';
import { namesIn } from './path-state.ts';
import type { Privacy } from './privacy.ts';
import { SystemChanges } from './system-changes.ts';
import { systemError } from './system-error.ts';
import { compareListings, emptyListing, listSystemDirectory, type SystemListing } from './system-listing.ts';
import type { Changes, Watcher } from './watcher.ts';

export interface SystemLayerOptions {
  watcher: Pick<Watcher, 'watchDirectory' | 'unwatchDirectory'>;
  cache: StatCache;
  /** Absolute paths shown as empty directories: the project, our own state, and what is the machine's own business. */
  hidden: readonly string[];
  /** What else they may not see. */
  privacy: Privacy;
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
 * Everything outside the project, listed when asked for. Each directory is watched before it is listed. What changes is
 * noted by path (`SystemChanges`), so that it matters only to those who have looked there; a change that cannot be put so
 * ends the epoch, and all is asked anew.
 */
export class SystemLayer {
  readonly changes = new SystemChanges();
  readonly #options: SystemLayerOptions;
  readonly #hidden: ReadonlySet<string>;
  readonly #folders: OpenFolders;
  readonly #listings = new Map<string, SystemListing>();
  readonly #listing = new Flights<SystemListing>();
  readonly #served = new Map<string, StatSignature>();
  readonly #digesting = new Flights<Digest>();
  readonly #pathByHash = new Map<string, string>();

  constructor(options: SystemLayerOptions) {
    this.#options = options;
    this.#folders = new OpenFolders((path) => this.#watch(path), options.privacy);
    this.#hidden = new Set(options.hidden);
  }

  /** Counts up when everything has to be asked anew. */
  get epoch(): number {
    return this.changes.epoch;
  }

  /** See `Origin`. @throws AppError `cannot-watch` when the directory cannot be watched, so could change unseen */
  async listDirectory(path: string): Promise<Uint8Array> {
    return (await this.#list(path)).bytes;
  }

  /** See `Origin`. */
  amendments(epoch: number, sinceRevision: number): Amendments {
    const difference = epoch === this.epoch ? this.changes.since(sinceRevision) : undefined;
    if (!difference) return { revision: sinceRevision, amendments: [] };
    const namesIn = new Map<string, string[]>();
    for (const path of difference.entries) {
      const [directory, name] = split(path);
      const names = namesIn.get(directory);
      if (names) names.push(name);
      else namesIn.set(directory, [name]);
    }
    const amendments = [...namesIn].flatMap(([path, names]) => {
      const listing = this.#listings.get(path);
      const isRelisted = difference.relisted.has(path);
      return listing ? [{ path, names, isRelisted, bytes: listing.bytes }] : [];
    });
    return { revision: this.changes.revision, amendments };
  }

  /** See `Origin`. The content is to be had from the path until the epoch ends. */
  digestFile(path: string): Promise<Digest> {
    return this.#digesting.join(path, () => this.#digestFile(path));
  }

  async #digestFile(path: string): Promise<Digest> {
    const { digest } = await this.#serve(path, (stats, admit) =>
      digestOfFile(path, stats, this.#options.cache, admit),
    );
    this.#pathByHash.set(digest.hash, path);
    return digest;
  }

  /** See `LocalFiles`. */
  async signFile(path: string): Promise<StatSignature> {
    const { signature } = await this.#serve(path, (_, admit) => {
      // The job would find out only when it reads, too late for us to know that it is this that it cannot do.
      const descriptor = openSync(fsPath(path), openFlags);
      try {
        const stats = fstatSync(descriptor, { bigint: true });
        admit(stats, descriptor);
        return { signature: signatureOf(stats) };
      } finally {
        closeSync(descriptor);
      }
    });
    return signature;
  }

  /**
   * What `look` finds at a path that is a file as it was listed, and as it was served before.
   *
   * @param look calls `admit` with each file that it opens, before it reads
   */
  async #serve<T extends { signature: StatSignature }>(
    path: string,
    look: (stats: BigIntStats, admit: Admit) => T | Promise<T>,
  ): Promise<T> {
    const [directory, name] = split(path);
    const { epoch } = this;
    const listing = await this.#list(directory);
    if (!listing.isOpen) throw systemError('EACCES', `"${directory}" is private`);
    const listed = listing.files.get(name);
    const isHidden = this.#options.privacy.hiddenFilesIn(directory);
    const admit = (stats: BigIntStats, descriptor?: number) => {
      if (!stats.isFile()) throw systemError('ENOENT', `no regular file: "${path}"`);
      if (isHidden(path, stats)) throw systemError('EACCES', `"${path}" is private`);
      if (descriptor !== undefined) expectPlace(descriptor, path);
    };
    const stats = lstatSync(fsPath(path), { bigint: true });
    admit(stats);
    const found = await look(stats, admit);
    const { signature } = found;
    const served = this.#served.get(path);
    // Meanwhile it may have been listed anew.
    const isAsListed = [listed, this.#listings.get(directory)?.files.get(name)].every(
      (file) => file?.sizeBytes === signature.sizeBytes && file.mtimeNs === signature.mtimeNs,
    );
    if (!isAsListed || (served && !equalSignatures(served, signature))) {
      if (epoch === this.epoch) this.#takeIn({ directories: [directory], files: served ? [path] : [] });
      throw new AppError(`Cannot read "${path}": it was changed just now`, { code: 'epoch-ended' });
    }
    this.#served.set(path, signature);
    return found;
  }

  /**
   * The state of a path outside of the project as jobs see it, as far as one that observed it so can tell: as
   * `presentState` (path-state.ts). It holds if no change that touches it was noted between before and after.
   *
   * @throws AppError when nothing can be said, also `epoch-ended`
   */
  async describe({ path, flags }: Observation): Promise<string> {
    if (path === '/') return this.#describeDirectory(path, flags);
    if (this.#hidden.has(path)) return 'hidden';
    const [directory, name] = split(path);
    let entry: Directory | undefined;
    try {
      const { bytes, isOpen } = await this.#list(directory);
      entry = lookUpEntry(bytes, name);
      if (!entry && !isOpen) return 'private';
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
  async absorb({ paths, overflow }: Pick<Changes, 'paths' | 'overflow'>): Promise<void> {
    if (this.#folders.haveChanged(overflow ? this.#folders.paths : paths)) return this.endEpoch();
    if (this.#listings.size === 0) return;
    const suspects = new Set<string>(overflow ? this.#listings.keys() : []);
    for (const path of overflow ? [] : paths) {
      const [parent] = split(path);
      if (this.#listings.has(parent)) suspects.add(parent);
      if (!this.#listings.has(path)) continue;
      suspects.add(path);
      // The watch of a directory that was away, or replaced, has ended.
      await this.#options.watcher.watchDirectory(path).catch(() => this.endEpoch());
    }
    const files = overflow ? [...this.#served.keys()] : paths.filter((path) => this.#served.has(path));
    this.#takeIn({ directories: suspects, files });
  }

  /** Looks for changes that nobody was told of: also of what was only listed, where that can be. */
  recheck(): void {
    if (this.#folders.haveChanged(this.#folders.paths)) return this.endEpoch();
    const directories = [...this.#listings].flatMap(([path, { own, linked, isLocal }]) => {
      const isSame =
        isLocal &&
        looksLike(path, own) &&
        [...linked].every(([name, signature]) => looksLike(below(path, name), signature));
      return isSame ? [] : [path];
    });
    this.#takeIn({ directories, files: [...this.#served.keys()] });
  }

  /** Something was mounted or unmounted at these places. */
  remounted(places: readonly string[]): void {
    const isCovered = (path: string) => places.some((place) => isWithin(place, path));
    if ([...this.#listings.keys(), ...this.#folders.paths].some(isCovered)) return this.endEpoch();
    const parents = places.map((place) => split(place)[0]).filter((path) => this.#listings.has(path));
    this.#takeIn({ directories: parents, files: [...this.#served.keys()].filter(isCovered) });
  }

  /** @param places what the user keeps private, see `Privacy` */
  keepPrivate(places: readonly string[]): void {
    if (this.#options.privacy.update(places)) this.endEpoch();
  }

  /** Forgets everything: nothing is known of what has changed. */
  endEpoch(): void {
    this.changes.endEpoch();
    for (const path of new Set([...this.#listings.keys(), ...this.#folders.paths]))
      this.#options.watcher.unwatchDirectory(path);
    this.#folders.clear();
    this.#listings.clear();
    this.#served.clear();
    this.#pathByHash.clear();
  }

  /** Notes what is different in some listed directories, and of some files that were served. */
  #takeIn({ directories, files }: { directories: Iterable<string>; files: readonly string[] }): void {
    const entries = new Set<string>();
    const relisted: string[] = [];
    for (const path of directories) {
      const former = this.#listings.get(path);
      const listing = former && present(() => this.#listNow(path));
      if (!former) continue;
      // What was seen below it may be something else altogether.
      if (!listing || isOtherDirectory(former, listing)) return this.endEpoch();
      if (former.bytes.equals(listing.bytes)) {
        // The same bytes: what is known of them is known by identity.
        this.#listings.set(path, { ...listing, bytes: former.bytes });
        continue;
      }
      const { names, isRelisted } = compareListings(former.bytes, listing.bytes);
      for (const name of names) entries.add(below(path, name));
      if (isRelisted) relisted.push(path);
      this.#listings.set(path, listing);
    }
    for (const path of files) if (!looksLike(path, this.#served.get(path)!)) entries.add(path);
    if (entries.size === 0) return;
    for (const path of entries) this.#served.delete(path);
    for (const [hash, path] of this.#pathByHash) if (entries.has(path)) this.#pathByHash.delete(hash);
    this.changes.add({ entries, relisted });
    if (this.changes.isFull) this.endEpoch();
  }

  async #describeDirectory(path: string, flags: number): Promise<string> {
    try {
      const { bytes, isOpen } = await this.#list(path);
      const names = flags & ObservationFlag.listed ? ` ${isOpen ? namesIn(bytes) : 'private'}` : '';
      return `d ${allowed(lookUpSelf(bytes))}${names}`;
    } catch (error) {
      return answerOf(error);
    }
  }

  async #list(path: string): Promise<Pick<SystemListing, 'bytes' | 'files' | 'isOpen'>> {
    const known = this.#listings.get(path);
    if (known) return known;
    if (!isClean(path)) throw systemError('ENOENT', `no clean absolute path: "${path}"`);
    if (this.#hidden.has(path)) return emptyListing;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (this.#hidden.has(path.slice(0, end))) throw systemError('ENOENT', `not mirrored: "${path}"`);
    }
    return this.#listing.join(path, () => this.#watchAndList(path));
  }

  /** As it is now. The folders that it is in have been judged. */
  #listNow(path: string): SystemListing {
    const isParentOpen = this.#folders.known(split(path)[0]) ?? false;
    return listSystemDirectory(path, this.#options.privacy, isParentOpen);
  }

  async #watchAndList(path: string): Promise<SystemListing> {
    for (;;) {
      const { epoch } = this;
      const isInOpen = path === '/' || (await this.#folders.judge(split(path)[0]));
      if (!isInOpen && !this.#options.privacy.leadsOn(path))
        throw systemError('EACCES', `in a private folder: "${path}"`);
      await this.#watch(path);
      // Otherwise the watch may have been ended together with the epoch.
      if (epoch !== this.epoch) continue;
      const listing = this.#listNow(path);
      this.#listings.set(path, listing);
      return listing;
    }
  }

  async #watch(path: string): Promise<void> {
    try {
      await this.#options.watcher.watchDirectory(path);
    } catch (cause) {
      // To watch a directory takes the right to list it.
      if (isErrno(cause, 'EACCES') && isPassable(path))
        throw systemError('EPERM', `may be passed, not be listed: "${path}"`);
      if (isErrno(cause, ...answers)) throw cause;
      throw new AppError(`Cannot mirror "${path}"`, { code: 'cannot-watch', cause });
    }
  }
}

type Admit = (stats: BigIntStats, descriptor?: number) => void;

function looksLike(path: string, signature: StatSignature): boolean {
  const stats = present(() => lstatSync(fsPath(path), { bigint: true }));
  return stats !== undefined && equalSignatures(signature, signatureOf(stats));
}

/** undefined when the look-up finds nothing, for a reason that a job would be told. */
function present<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isErrno(error, ...answers)) return undefined;
    throw error;
  }
}

/** What a job may do with it. */
function allowed({ mode, rights }: Pick<Directory, 'mode' | 'rights'>): string {
  return rights ? `${mode} ${rights}` : `${mode}`;
}

function isOtherDirectory(former: SystemListing, latter: SystemListing): boolean {
  return (
    former.own.inode !== latter.own.inode ||
    former.own.mode !== latter.own.mode ||
    former.isOpen !== latter.isOpen
  );
}

/** Parent directory and last name. */
function split(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash) || '/', path.slice(slash + 1)];
}

function below(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

function isWithin(top: string, path: string): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`);
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
