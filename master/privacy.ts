import { type BigIntStats, lstatSync, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';

/** Where programs keep what only their user may know, below the home folder: folders and files. The README has the same list. */
export const secretPlaces = [
  ...['.ssh', '.gnupg', '.pki', '.password-store', '.local/share/keyrings', '.local/share/kwalletd'],
  ...[
    '.aws',
    '.azure',
    '.kube',
    '.docker',
    '.oci',
    '.config/gcloud',
    '.config/gh',
    '.config/rclone',
    '.config/sops',
  ],
  ...['.config/op', '.config/Bitwarden', '.config/keepassxc', '.config/age', '.vault-token', '.terraform.d'],
  ...[
    '.netrc',
    '.git-credentials',
    '.config/git/credentials',
    '.pgpass',
    '.pypirc',
    '.cargo/credentials.toml',
  ],
  ...['.mozilla', '.thunderbird', '.config/google-chrome', '.config/chromium'],
] as const;

export interface PrivacyOptions {
  /** Absolute path of the project, symlinks resolved. */
  projectRoot: string;
  /** Folders that may be the caller's home. */
  homes: readonly string[];
}

/**
 * What of the machine may be shown to executors, whoever asks and however: outside the project and the home folder only what
 * an unprivileged stranger could reach and read, or a member of one of the caller's groups; in the home folder what is not for the
 * caller alone, and no secret place. Folders that lead to the project or to the home folder show what leads on.
 */
export class Privacy {
  readonly #projectRoot: string;
  readonly #homes: readonly string[];
  /** The project, the home folders, and all folders above them. */
  readonly #leading = new Set<string>();
  #secrets: ReadonlySet<string> = new Set();

  constructor({ projectRoot, homes }: PrivacyOptions) {
    this.#projectRoot = projectRoot;
    this.#homes = [...new Set(homes.filter(isOwnFolder).flatMap(withResolved))];
    for (const place of [projectRoot, ...this.#homes])
      for (let path = place; path !== '/'; path = dirname(path)) this.#leading.add(path);
    this.update([]);
  }

  /**
   * Looks where the secrets are now: each may be a symlink.
   *
   * @param more what the user keeps private besides, absolute or beginning with "~/"
   * @returns whether anything has changed
   */
  update(more: readonly string[]): boolean {
    const names = [...secretPlaces.map((name) => `~/${name}`), ...more];
    const places = names.flatMap((name) =>
      name.startsWith('~/') ? this.#homes.map((home) => home + name.slice(1)) : [name],
    );
    // What a rule says of the project itself has no effect: all of that is a command's to see.
    const secrets = new Set(
      places.flatMap(withResolved).filter((path) => !isWithin(this.#projectRoot, path)),
    );
    const isSame =
      secrets.size === this.#secrets.size && [...secrets].every((path) => this.#secrets.has(path));
    this.#secrets = secrets;
    return !isSame;
  }

  /**
   * Whether a folder may be shown as a whole; of any other only what leads on.
   *
   * @param isParentOpen what this said of the folder that it is in
   */
  isOpen(path: string, stats: BigIntStats, isParentOpen: boolean): boolean {
    // Where strangers may not enter "/" there are none: a container, or a chroot.
    if (path === '/') return true;
    if (this.#isSecret(path)) return false;
    if (this.#homes.some((home) => isWithin(home, path))) return true;
    return isParentOpen && isForStrangers(stats, readable | searchable);
  }

  /** Whether the project or the home folder is this, or below. */
  leadsOn(path: string): boolean {
    return this.#leading.has(path);
  }

  /** The names in a folder that lead on. */
  leadingNames(folder: string): string[] {
    return [...this.#leading].filter((path) => dirname(path) === folder).map((path) => basename(path));
  }

  /** The judgement of files in an open folder: whether nothing but name, kind and mode is told of them. */
  hiddenFilesIn(folder: string): (path: string, stats: BigIntStats) => boolean {
    const isInHome = this.#homes.some((home) => isWithin(home, folder));
    return (path, stats) =>
      this.#secrets.has(path) || (isInHome ? isForOwnerAlone(stats) : !isForStrangers(stats, readable));
  }

  #isSecret(path: string): boolean {
    for (let at = path; at !== '/'; at = dirname(at)) if (this.#secrets.has(at)) return true;
    return false;
  }
}

const readable = 4n;
const searchable = 1n;

/** Not that of root: whoever is a member of it is no stranger. */
const groups = new Set([process.getegid!(), ...process.getgroups!()].filter((gid) => gid !== 0).map(BigInt));

function isForStrangers({ gid, mode }: BigIntStats, bits: bigint): boolean {
  return (mode & bits) === bits || (groups.has(gid) && ((mode >> 3n) & bits) === bits);
}

function isForOwnerAlone({ mode }: BigIntStats): boolean {
  return (mode & 0o077n) === 0n;
}

/** "/" is the home of many a user that is no person. */
function isOwnFolder(path: string): boolean {
  if (!path.startsWith('/') || path === '/') return false;
  try {
    const resolved = realpathSync.native(fsPath(path), { encoding: 'buffer' });
    const stats = lstatSync(resolved);
    return stats.isDirectory() && stats.uid === process.geteuid!() && decodeBytes(resolved) !== '/';
  } catch (error) {
    return answersNothing(error);
  }
}

/** A path, and the one without symlinks where there is something. */
function withResolved(path: string): string[] {
  try {
    return [path, decodeBytes(realpathSync.native(fsPath(path), { encoding: 'buffer' }))];
  } catch (error) {
    answersNothing(error);
    return [path];
  }
}

function answersNothing(error: unknown): false {
  if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG')) return false;
  throw error;
}

function isWithin(top: string, path: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}
