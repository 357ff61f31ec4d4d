import type { Digest } from '../protocol/digest.ts';

/**
 * The encoded directories of a snapshot, in memory. Those of the current tree stay; those of former trees, on which
 * jobs may still be running, stay until they are too many bytes, then the one replaced longest ago is handed to
 * `spill`, which must keep it elsewhere: a job of any age can have its tree, and no caller has to hold a lease.
 */
export class DirectoryBlobs {
  readonly #current = new Map<string, { bytes: Buffer; count: number }>();
  /** In the order in which they were replaced. */
  readonly #former = new Map<string, Buffer>();
  readonly #maxFormerBytes: number;
  readonly #spill: (digest: Digest, bytes: Buffer) => void;
  #formerBytes = 0;

  constructor(options: { maxFormerBytes: number; spill: (digest: Digest, bytes: Buffer) => void }) {
    this.#maxFormerBytes = options.maxFormerBytes;
    this.#spill = options.spill;
  }

  /** One more directory of the current tree has these bytes. */
  add({ hash }: Digest, bytes: Buffer): void {
    const entry = this.#current.get(hash);
    if (entry) entry.count += 1;
    else this.#current.set(hash, { bytes, count: 1 });
    const former = this.#former.get(hash);
    if (!former) return;
    this.#former.delete(hash);
    this.#formerBytes -= former.length;
  }

  /** One directory of the current tree less has them. */
  release({ hash }: Digest): void {
    const entry = this.#current.get(hash)!;
    entry.count -= 1;
    if (entry.count > 0) return;
    this.#current.delete(hash);
    this.#former.set(hash, entry.bytes);
    this.#formerBytes += entry.bytes.length;
    for (const [oldHash, bytes] of this.#former) {
      if (this.#formerBytes <= this.#maxFormerBytes) break;
      this.#former.delete(oldHash);
      this.#formerBytes -= bytes.length;
      this.#spill({ hash: oldHash, sizeBytes: bytes.length }, bytes);
    }
  }

  get({ hash }: Digest): Buffer | undefined {
    return this.#current.get(hash)?.bytes ?? this.#former.get(hash);
  }
}
