import type { BigIntStats } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { Digest } from '../protocol/digest.ts';
import { describeError } from '../runtime/app-error.ts';
import { decodeBytes, encodeBytes } from '../runtime/byte-path.ts';
import { type Database, isCorruption, moveAside, openDatabase } from './database.ts';
import { rawKey } from './digest.ts';

/** What changes whenever the content of a path may have changed. */
export interface StatSignature {
  sizeBytes: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  inode: bigint;
  /** st_mode, type included. */
  mode: number;
}

export interface CachedDigest extends StatSignature {
  digest: Digest;
}

/** A change made within this time after a read may carry the same times: two ticks of the kernel's coarse clock at 100 Hz. */
const tickMarginNs = 20_000_000n;
/** The same for file systems that keep whole seconds, or as FAT every other one. */
const secondsMarginNs = 2_000_000_000n;
const nanosPerSecond = 1_000_000_000n;
/** By more than this no clock of a file server goes wrong. */
const dayNs = 86_400n * nanosPerSecond;
const maxPending = 10_000;
const batchCount = 5_000;

export function signatureOf(stats: BigIntStats): StatSignature {
  return {
    sizeBytes: Number(stats.size),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    inode: stats.ino,
    mode: Number(stats.mode),
  };
}

export function equalSignatures(a: StatSignature, b: StatSignature): boolean {
  return (
    a.ctimeNs === b.ctimeNs &&
    a.mtimeNs === b.mtimeNs &&
    a.sizeBytes === b.sizeBytes &&
    a.inode === b.inode &&
    a.mode === b.mode
  );
}

/**
 * Whether a file with these times may have changed after it was read without changing them ("racily clean"): its times
 * are not clearly older than the moment at which reading began. Source: git, Documentation/technical/racy-git.
 */
export function isRacy(
  { mtimeNs, ctimeNs }: Pick<StatSignature, 'mtimeNs' | 'ctimeNs'>,
  readAtNs: bigint,
): boolean {
  const isCoarse = mtimeNs % nanosPerSecond === 0n && ctimeNs % nanosPerSecond === 0n;
  // What was set to a time far ahead would have lost it by a change.
  const hasWrittenTime = mtimeNs > ctimeNs && mtimeNs < readAtNs + dayNs;
  const latestNs = hasWrittenTime ? mtimeNs : ctimeNs;
  return latestNs >= readAtNs - (isCoarse ? secondsMarginNs : tickMarginNs);
}

/**
 * Which digest a file has while its signature stays, across sessions: absolute path → signature and digest, in LevelDB.
 * Writes are collected; `flush` and closing write them. Losing them, or all of it, costs only hashing again.
 */
export class StatCache implements AsyncDisposable {
  readonly #dir: string;
  readonly #onNotice: (message: string) => void;
  #database: Database;
  /** undefined: to be deleted. */
  #pending = new Map<string, Buffer | undefined>();
  #writing: Promise<void> = Promise.resolve();

  /** One process may have it open. @throws as openDatabase (cas/database.ts) */
  static async open(dir: string, { onNotice }: { onNotice: (message: string) => void }): Promise<StatCache> {
    return new StatCache(dir, await openDatabase(dir, onNotice), onNotice);
  }

  private constructor(dir: string, database: Database, onNotice: (message: string) => void) {
    this.#dir = dir;
    this.#database = database;
    this.#onNotice = onNotice;
  }

  /** All that is known of a path and everything below it. Entries that do not hold their checksum are left out. */
  async load(absolutePath: string): Promise<Map<string, CachedDigest>> {
    await this.flush();
    const found = new Map<string, CachedDigest>();
    const below = absolutePath === '/' ? '/' : `${absolutePath}/`;
    await this.#healing(async () => {
      // "0" is the byte after "/".
      const range = { gte: encodeBytes(below), lt: encodeBytes(`${below.slice(0, -1)}0`) };
      const iterator = this.#database.iterator({ ...range, highWaterMarkBytes: 1024 * 1024 });
      try {
        // While one batch is decoded here the next one is read by another thread.
        let next = iterator.nextv(batchCount);
        for (let entries = await next; entries.length > 0; entries = await next) {
          next = iterator.nextv(batchCount);
          for (const [key, value] of entries) addTo(found, key, value);
        }
      } finally {
        await iterator.close();
      }
      const key = encodeBytes(absolutePath);
      const own = await this.#database.get(key);
      if (own) addTo(found, key, own);
    });
    return found;
  }

  /** What is known of one path; it holds only while the signature of the path is this. */
  async get(absolutePath: string): Promise<CachedDigest | undefined> {
    let value = this.#pending.get(absolutePath);
    if (!value && !this.#pending.has(absolutePath)) {
      await this.#healing(async () => {
        value = await this.#database.get(encodeBytes(absolutePath));
      });
    }
    return value && decodeEntry(encodeBytes(absolutePath), value);
  }

  /**
   * Remembers a digest, unless the file may have changed unseen since.
   *
   * @param signature taken before the content was read, and found unchanged after
   * @param readAtNs when reading began, by the clock of the file system: Date.now() in nanoseconds
   */
  record(absolutePath: string, signature: StatSignature, digest: Digest, readAtNs: bigint): void {
    if (isRacy(signature, readAtNs)) return this.forget(absolutePath);
    this.#set(absolutePath, encodeEntry(encodeBytes(absolutePath), signature, digest));
  }

  forget(absolutePath: string): void {
    this.#set(absolutePath, undefined);
  }

  /** Writes what was recorded up to now. Never rejects: what cannot be written is lost, and told. */
  flush(): Promise<void> {
    const pending = this.#pending;
    if (pending.size === 0) return this.#writing;
    this.#pending = new Map();
    this.#writing = this.#writing
      .then(() => this.#healing(() => this.#write(pending)))
      .catch((error) => this.#onNotice(`Stat cache could not be written: ${describeError(error)}`));
    return this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
    await this.#database.close();
  }

  #set(absolutePath: string, value: Buffer | undefined): void {
    this.#pending.set(absolutePath, value);
    if (this.#pending.size >= maxPending) void this.flush();
  }

  async #write(pending: ReadonlyMap<string, Buffer | undefined>): Promise<void> {
    const batch = this.#database.batch();
    for (const [path, value] of pending) {
      if (value) batch.put(encodeBytes(path), value);
      else batch.del(encodeBytes(path));
    }
    await batch.write();
  }

  /** Begins anew when files of the database turn out to be corrupt. */
  async #healing(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!isCorruption(error)) throw error;
      await this.#database.close();
      await moveAside(this.#dir, this.#onNotice);
      this.#database = await openDatabase(this.#dir, this.#onNotice);
    }
  }
}

/*
 * An entry: 0 sizeBytes u64 · 8 mtimeNs i64 · 16 ctimeNs i64 · 24 inode u64 · 32 mode u32 · 36 hash, 32 bytes ·
 * 68 CRC-32 of key and all before, for LevelDB does not check what it reads. Little endian.
 */
const entryBytes = 72;
const checkedBytes = 68;
/** The CRC-32 of anything followed by its CRC-32. */
const crcResidue = 0x2144df1c;

function encodeEntry(key: Buffer, signature: StatSignature, digest: Digest): Buffer {
  const entry = Buffer.allocUnsafe(entryBytes);
  entry.writeBigUInt64LE(BigInt(signature.sizeBytes), 0);
  // Times beyond the year 2262 are found different, so that such a file is hashed again.
  entry.writeBigInt64LE(BigInt.asIntN(64, signature.mtimeNs), 8);
  entry.writeBigInt64LE(BigInt.asIntN(64, signature.ctimeNs), 16);
  entry.writeBigUInt64LE(signature.inode, 24);
  entry.writeUInt32LE(signature.mode, 32);
  entry.set(rawKey(digest), 36);
  entry.writeUInt32LE(crc32(entry.subarray(0, checkedBytes), crc32(key)), checkedBytes);
  return entry;
}

function decodeEntry(key: Buffer, entry: Buffer): CachedDigest | undefined {
  if (entry.length !== entryBytes || crc32(entry, crc32(key)) !== crcResidue) return undefined;
  const sizeBytes = Number(entry.readBigUInt64LE(0));
  return {
    sizeBytes,
    mtimeNs: entry.readBigInt64LE(8),
    ctimeNs: entry.readBigInt64LE(16),
    inode: entry.readBigUInt64LE(24),
    mode: entry.readUInt32LE(32),
    digest: { hash: entry.toString('hex', 36, checkedBytes), sizeBytes },
  };
}

function addTo(found: Map<string, CachedDigest>, key: Buffer, value: Buffer): void {
  const entry = decodeEntry(key, value);
  if (entry) found.set(decodeBytes(key), entry);
}
