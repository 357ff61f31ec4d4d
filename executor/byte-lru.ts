/** Blobs by key, least recently used forgotten first, bounded by their bytes. */
export class ByteLru {
  readonly #maxBytes: number;
  readonly #blobs = new Map<string, Uint8Array>();
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(key: string): Uint8Array | undefined {
    const blob = this.#blobs.get(key);
    if (blob) {
      // A Map iterates in order of insertion: the front is what has not been used for longest.
      this.#blobs.delete(key);
      this.#blobs.set(key, blob);
    }
    return blob;
  }

  /** A blob larger than the bound is not kept. */
  set(key: string, blob: Uint8Array): void {
    this.#sizeBytes += blob.byteLength - (this.#blobs.get(key)?.byteLength ?? 0);
    this.#blobs.delete(key);
    this.#blobs.set(key, blob);
    for (const [oldest, { byteLength }] of this.#blobs) {
      if (this.#sizeBytes <= this.#maxBytes) break;
      this.#blobs.delete(oldest);
      this.#sizeBytes -= byteLength;
    }
  }
}
