import { lstatSync } from 'node:fs';

/** Smaller files are hashed again in less than 10 ms. */
const leastBytes = 16 * 1024 * 1024;
const maxCount = 1_000;

/**
 * Which large files this process has found good and nobody has touched since: to hash gigabytes again for each use of them would
 * cost more than what made them. Whatever writes to a file, or gives it times or a mode, sets its change time.
 */
export class KnownGood {
  /** Path → how the file looked. */
  readonly #signatures = new Map<string, string>();

  /** Whether the file is as it was when it was found good. */
  has(path: string | Buffer): boolean {
    const known = this.#signatures.get(keyOf(path));
    return known !== undefined && known === signatureAt(path);
  }

  /** @param before how it looked before it was read, see `look`; undefined: it is our own and complete */
  add(path: string | Buffer, before?: string): void {
    const now = signatureAt(path);
    if (now === undefined || (before !== undefined && before !== now)) return;
    if (this.#signatures.size >= maxCount) this.#signatures.clear();
    this.#signatures.set(keyOf(path), now);
  }

  /** How a file looks; undefined when it is not there, or too small to be worth remembering. */
  look(path: string | Buffer): string | undefined {
    return signatureAt(path);
  }

  /** Does what changes the file's times alone. */
  keeping<T>(path: string | Buffer, touch: () => T): T {
    if (!this.has(path)) return touch();
    const result = touch();
    this.add(path);
    return result;
  }
}

function keyOf(path: string | Buffer): string {
  return path.toString('latin1');
}

function signatureAt(path: string | Buffer): string | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (!stats?.isFile() || stats.size < leastBytes) return undefined;
  return `${stats.dev} ${stats.ino} ${stats.size} ${stats.ctimeNs}`;
}
