import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { type Digest, digestSchema } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';

/** The digest of a blob held in memory. */
export function digestOf(bytes: Uint8Array): Digest {
  return { hash: blake3(viewAsBuffer(bytes)).toString('hex'), sizeBytes: bytes.byteLength };
}

/** The digest of the empty blob, which every store has. */
export const emptyDigest: Digest = Object.freeze(digestOf(new Uint8Array()));

/** Hashes a blob that arrives in pieces. */
export class DigestHasher {
  readonly #hasher = new Blake3Hasher();
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  update(chunk: Uint8Array): this {
    this.#hasher.update(viewAsBuffer(chunk));
    this.#sizeBytes += chunk.byteLength;
    return this;
  }

  /** The digest of everything so far; more may follow. */
  digest(): Digest {
    return { hash: this.#hasher.digest('hex'), sizeBytes: this.#sizeBytes };
  }
}

export function equalDigests(a: Digest, b: Digest): boolean {
  return a.hash === b.hash && a.sizeBytes === b.sizeBytes;
}

/** `<64 hex characters>/<size in bytes>`: the spelling in URLs, logs and map keys. */
export function formatDigest(digest: Digest): string {
  return `${digest.hash}/${digest.sizeBytes}`;
}

/** The inverse of `formatDigest`. @throws AppError `bad-digest` (category caller) for any other spelling */
export function parseDigest(text: string): Digest {
  const [, hash, sizeBytes] = /^([^/]*)\/(0|[1-9][0-9]{0,15})$/.exec(text) ?? [];
  const parsed = digestSchema.safeParse({ hash, sizeBytes: Number(sizeBytes) });
  if (parsed.success) return parsed.data;
  throw new AppError(`Cannot read digest ${JSON.stringify(text)}: expected <64 hex characters>/<size>`, {
    code: 'bad-digest',
    category: 'caller',
  });
}

/** The hash as its 32 bytes: the spelling in databases. */
export function rawKey(digest: Digest): Buffer {
  return Buffer.from(digest.hash, 'hex');
}

/** @throws AppError `digest-mismatch` unless both are the same */
export function expectDigest(wanted: Digest, actual: Digest, place: string): void {
  if (equalDigests(wanted, actual)) return;
  throw new AppError(`${place}: expected content ${formatDigest(wanted)}, got ${formatDigest(actual)}`, {
    code: 'digest-mismatch',
    data: { wanted, actual },
  });
}

/** The same memory: the hash functions take nothing but Buffers. */
function viewAsBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
