import { crc32 } from 'node:zlib';
import { decodeBytes, encodeBytes } from '../runtime/byte-path.ts';
import { type Database, isCorruption, moveAside, openDatabase } from './database.ts';

/** One record to write; without value it is deleted. */
export interface ActionRecord {
  key: string;
  value?: unknown;
}

const entriesAtOnce = 256;

/** One that was read. */
export interface ActionEntry {
  key: string;
  value: unknown;
  /** What it takes up in the database, before compression. */
  sizeBytes: number;
}

/**
 * Past results by fingerprint, and what belongs to them, in LevelDB: records of JSON under keys of text. LevelDB does not
 * check what it reads, so each record carries a CRC-32 of its key and itself: one that does not hold it is absent.
 *
 * Batches become visible whole, and in the order of the calls. Nothing is flushed to the disk: a power failure loses the
 * latest of them, a killed process none. A database that turns out to be corrupt is moved aside and begun anew.
 */
export class ActionCache implements AsyncDisposable {
  readonly #dir: string;
  readonly #onNotice: (message: string) => void;
  #database: Database;
  #beginning: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** One process may have it open. @throws as openDatabase (cas/database.ts) */
  static async open(
    dir: string,
    { onNotice }: { onNotice: (message: string) => void },
  ): Promise<ActionCache> {
    return new ActionCache(dir, await openDatabase(dir, onNotice), onNotice);
  }

  private constructor(dir: string, database: Database, onNotice: (message: string) => void) {
    this.#dir = dir;
    this.#database = database;
    this.#onNotice = onNotice;
  }

  /** result[i] belongs to keys[i]; undefined: absent, or bad. */
  async getMany(keys: readonly string[]): Promise<unknown[]> {
    const rawKeys = keys.map((key) => encodeBytes(key));
    const found = this.#readHere(rawKeys) ?? (await this.#healing(() => this.#database.getMany(rawKeys)));
    return keys.map((key, index) => decodeRecord(key, found?.[index]));
  }

  async get(key: string): Promise<unknown> {
    return (await this.getMany([key]))[0];
  }

  /** All good records whose keys begin so, in the order of the keys. */
  async list(prefix: string): Promise<ActionEntry[]> {
    const records: ActionEntry[] = [];
    for await (const record of this.read(prefix)) records.push(record);
    return records;
  }

  /** The same one by one, for when they are many. */
  async *read(prefix: string): AsyncGenerator<ActionEntry> {
    for await (const [key, raw] of this.#entries(prefix)) {
      const value = decodeRecord(key, raw);
      if (value !== undefined) yield { key, value, sizeBytes: sizeOf(key, raw) };
    }
  }

  /** What all records whose keys begin so take up, good or bad: many times faster than reading them. */
  async *sizes(prefix: string): AsyncGenerator<Omit<ActionEntry, 'value'>> {
    for await (const [key, raw] of this.#entries(prefix)) yield { key, sizeBytes: sizeOf(key, raw) };
  }

  /** Writes all of the records or none. @throws LevelDB's errors, as when the disk is full */
  write(records: readonly ActionRecord[]): Promise<void> {
    const writing = this.#writing.then(() => this.#healing(() => this.#write(records)));
    this.#writing = writing.then(
      () => {},
      () => {},
    );
    return writing.then(() => {});
  }

  async clear(): Promise<void> {
    await this.#writing;
    await this.#healing(() => this.#database.clear());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#database.close();
  }

  /** When the database turns out to be corrupt, that was all. */
  async *#entries(prefix: string): AsyncGenerator<[key: string, raw: Buffer]> {
    const range = { gte: encodeBytes(prefix), lt: Buffer.concat([encodeBytes(prefix), Buffer.of(0xff)]) };
    const iterator = this.#database.iterator(range);
    try {
      for (;;) {
        const entries = await this.#healing(() => iterator.nextv(entriesAtOnce));
        if (!entries || entries.length === 0) return;
        for (const [rawKey, raw] of entries) yield [decodeBytes(rawKey), raw];
      }
    } finally {
      await iterator.close();
    }
  }

  /**
   * By this thread: waking one of LevelDB's, and being woken by it, takes ten times as long as reading. Undefined when
   * that fails: errors of synchronous reads do not tell what they are.
   */
  #readHere(rawKeys: readonly Buffer[]): (Buffer | undefined)[] | undefined {
    try {
      return rawKeys.map((rawKey) => this.#database.getSync(rawKey));
    } catch {
      return undefined;
    }
  }

  async #write(records: readonly ActionRecord[]): Promise<void> {
    const batch = this.#database.batch();
    for (const { key, value } of records) {
      if (value === undefined) batch.del(encodeBytes(key));
      else batch.put(encodeBytes(key), encodeRecord(key, value));
    }
    await batch.write();
  }

  /** @returns undefined when the database had to be begun anew */
  async #healing<T>(action: () => Promise<T>): Promise<T | undefined> {
    const database = this.#database;
    try {
      return await action();
    } catch (error) {
      if (isCorruption(error)) {
        this.#beginning ??= this.#beginAnew(database).finally(() => {
          this.#beginning = undefined;
        });
      } else if (database === this.#database && !this.#beginning) {
        throw error;
      }
      // Of many that are under way one stumbles over it first; then the others find it closed.
      await this.#beginning;
      return undefined;
    }
  }

  /** Unless that has been done already. */
  async #beginAnew(corrupt: Database): Promise<void> {
    if (corrupt !== this.#database) return;
    await corrupt.close();
    await moveAside(this.#dir, this.#onNotice);
    this.#database = await openDatabase(this.#dir, this.#onNotice);
  }
}

function sizeOf(key: string, raw: Buffer): number {
  return key.length + raw.length;
}

/* A record: 0 CRC-32 of key and all that follows, u32 little endian · 4 JSON, bigints as decimal strings. */

function encodeRecord(key: string, value: unknown): Buffer {
  const json = Buffer.from(
    `0000${JSON.stringify(value, (_key, field) => (typeof field === 'bigint' ? `${field}` : field))}`,
  );
  json.writeUInt32LE(crc32(json.subarray(4), crc32(encodeBytes(key))), 0);
  return json;
}

function decodeRecord(key: string, raw: Buffer | undefined): unknown {
  if (!raw || raw.length < 5 || crc32(raw.subarray(4), crc32(encodeBytes(key))) !== raw.readUInt32LE(0))
    return undefined;
  return JSON.parse(raw.toString('utf8', 4));
}
