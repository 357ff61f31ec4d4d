import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { makePrivateDir } from '../runtime/cache-dir.ts';
import { isErrno } from '../runtime/errno.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { chunksOf, chunksOfFile, collect } from './chunks.ts';
import { DigestHasher, digestOf, emptyDigest, equalDigests, expectDigest, formatDigest } from './digest.ts';
import { explainDiskFull } from './disk-full.ts';
import { KnownGood } from './known-good.ts';
import { noteUse } from './last-use.ts';
import { tryReflink } from './reflink.ts';
import { readSmallFile, smallFileBytes, writeSmallFile } from './small-file.ts';
import { SparseFileWriter } from './sparse-file-writer.ts';

const blobMode = 0o444;
const staleTempMs = 60 * 60 * 1000;

/**
 * Blobs as files `<store>/<first 2 hex characters>/<hash>`, read-only. Each is written to a temporary name in
 * `<store>/tmp` while being hashed, then renamed into place, so that other processes using the same folder only ever
 * see whole blobs. No fsync: what a power failure cuts short has a wrong size or a wrong hash, and is found when read.
 *
 * Content is hashed whenever it is read through here, large content that nobody has touched meanwhile only once in a process; a
 * blob found bad is dropped, so that it can be had again from elsewhere. Whoever looks for a blob is taken to use it: see cas/last-use.ts and cas/garbage-collection.ts.
 */
export class FileBlobStore implements BlobStore {
  /** The store's folder, absolute. */
  readonly dir: string;
  readonly #tempPrefix: string;
  #tempCount = 0;
  readonly #knownGood = new KnownGood();

  /** Opens a store, making its folder if need be, for the user alone, and removes temporary files that are more than an hour old. */
  static async open(dir: string): Promise<FileBlobStore> {
    const store = new FileBlobStore(dir);
    try {
      makePrivateDir(dir);
      mkdirSync(fsPath(join(dir, 'tmp')), { recursive: true });
      removeStaleTemps(join(dir, 'tmp'));
      if (!store.#has(emptyDigest)) store.#putSmall(emptyDigest, new Uint8Array());
    } catch (error) {
      throw explainDiskFull(error, `Cannot open store "${dir}"`);
    }
    return store;
  }

  private constructor(dir: string) {
    this.dir = dir;
    this.#tempPrefix = join(dir, 'tmp', `${process.pid}-${randomBytes(6).toString('hex')}-`);
  }

  /**
   * Where a blob is, or would be. Whoever opens it without this class must check its content.
   *
   * @throws AppError `bad-digest` for a hash that is none, before it becomes part of a path
   */
  pathOf({ hash }: Digest): string {
    if (/^[0-9a-f]{64}$/.test(hash)) return `${this.dir}/${hash.slice(0, 2)}/${hash}`;
    throw new AppError(`Not a hash: ${JSON.stringify(hash)}`, { code: 'bad-digest', category: 'caller' });
  }

  /** Whether a blob is here, as far as can be told without reading it; to be asked for here is no use of it. */
  holds(digest: Digest): boolean {
    return statSync(fsPath(this.pathOf(digest)), { throwIfNoEntry: false })?.size === digest.sizeBytes;
  }

  async findMissing(digests: readonly Digest[]): Promise<Digest[]> {
    const missing = new Map<string, Digest>();
    for (const digest of digests) if (!this.#has(digest)) missing.set(formatDigest(digest), digest);
    return [...missing.values()];
  }

  async get(digest: Digest, options: BlobOptions = {}): Promise<Buffer | undefined> {
    if (digest.sizeBytes <= smallFileBytes) {
      const content = this.#getSmall(digest);
      return content && Buffer.from(content);
    }
    const chunks = await this.read(digest, options);
    return chunks && collect(chunks, digest.sizeBytes);
  }

  async getMany(digests: readonly Digest[], options: BlobOptions = {}): Promise<(Buffer | undefined)[]> {
    const contents: (Buffer | undefined)[] = [];
    for (const digest of digests) contents.push(await this.get(digest, options));
    return contents;
  }

  async read(digest: Digest, options: BlobOptions = {}): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (digest.sizeBytes <= smallFileBytes) {
      const content = await this.get(digest);
      return content && chunksOf(content);
    }
    return this.#isThere(digest) ? this.#readLarge(digest, options) : undefined;
  }

  async put(
    digest: Digest,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options: BlobOptions = {},
  ): Promise<void> {
    const action = `Cannot store blob ${formatDigest(digest)}`;
    options.signal?.throwIfAborted();
    const isBytes = content instanceof Uint8Array;
    if (await this.verify(digest, options)) {
      if (!isBytes) await content[Symbol.asyncIterator]().return?.();
    } else if (digest.sizeBytes > smallFileBytes) {
      await this.#write(isBytes ? chunksOf(content) : content, { ...options, action, expected: digest });
    } else {
      const bytes = isBytes ? content : await collect(content, digest.sizeBytes, options.signal);
      expectDigest(digest, digestOf(bytes), action);
      await explaining(action, () => this.#putSmall(digest, bytes));
    }
  }

  /**
   * Copies in a regular file that is somebody else's, who may write to it meanwhile, or put something else at its path: what is
   * stored is what the digest is of, and comes from one file. A link is not followed.
   *
   * @throws AppError `not-a-file` for anything but regular files; system errors, ELOOP for links
   */
  async importFile(path: string, options: BlobOptions = {}): Promise<Digest> {
    const action = `Cannot import "${path}"`;
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(fsPath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile())
        throw new AppError(`Not a regular file: "${path}"`, { code: 'not-a-file', category: 'caller' });
      // A size of 0 tells nothing in /proc and the like.
      const content = stats.size <= smallFileBytes ? readSmallFile(fd, smallFileBytes) : undefined;
      if (content) {
        const digest = digestOf(content);
        // The buffer is shared with verify(): what is to be stored has to be kept apart from it.
        const copy = Buffer.from(content);
        if (!(await this.verify(digest))) await explaining(action, () => this.#putSmall(digest, copy));
        return digest;
      }
      const opened = `/proc/self/fd/${fd}`;
      const clone = this.#newTemp();
      if (await explaining(action, () => tryReflink(opened, clone))) return await this.#keep(clone, options);
      const file = await open(opened, 'r');
      try {
        return await this.#write(chunksOfFile(file, { ...options, reuse: true }), { ...options, action });
      } finally {
        await file.close();
      }
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Makes a new file with the content of a blob and exactly the permission bits `mode`: shares its extents where the
   * file system can, else copies; never a hard link, through which a writer would change the store.
   *
   * @throws AppError `blob-missing` (category not-found) when absent, `digest-mismatch`, `disk-full`; EEXIST. What
   * stands at the destination then was there before.
   */
  async exportFile(
    digest: Digest,
    destination: string,
    { mode = 0o644, ...options }: BlobOptions & { mode?: number } = {},
  ): Promise<void> {
    const action = `Cannot export blob ${formatDigest(digest)} to "${destination}"`;
    await explaining(action, async () => {
      if (digest.sizeBytes <= smallFileBytes) {
        return writeSmallFile(destination, this.#getSmall(digest) ?? absent(action), mode);
      }
      if (!this.#isThere(digest)) absent(action);
      if (await tryReflink(this.pathOf(digest), destination)) {
        return chmod(fsPath(destination), mode);
      }
      await using writer = await SparseFileWriter.create(destination);
      for await (const chunk of this.#readLarge(digest, { ...options, reuse: true }))
        await writer.write(chunk);
      await writer.close(mode);
      writer.keep();
    });
  }

  /** Whether the blob is here and good: hashes it, and drops it when bad. */
  async verify(digest: Digest, options: BlobOptions = {}): Promise<boolean> {
    try {
      if (!this.#has(digest)) return false;
      if (digest.sizeBytes <= smallFileBytes) return this.#getSmall(digest) !== undefined;
      if (this.#knownGood.has(fsPath(this.pathOf(digest)))) return true;
      for await (const _chunk of this.#readLarge(digest, { ...options, reuse: true }));
      return true;
    } catch (error) {
      if (error instanceof AppError && error.code === 'digest-mismatch') return false;
      throw error;
    }
  }

  #has(digest: Digest): boolean {
    return this.#sizeOf(digest) === digest.sizeBytes;
  }

  /** The same, but a blob of another size is an error. */
  #isThere(digest: Digest): boolean {
    const sizeBytes = this.#sizeOf(digest);
    if (sizeBytes !== undefined && sizeBytes !== digest.sizeBytes) throw wrongSize(digest, sizeBytes);
    return sizeBytes !== undefined;
  }

  #sizeOf(digest: Digest): number | undefined {
    const path = fsPath(this.pathOf(digest));
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats && this.#noteUse(path, stats) ? stats.size : undefined;
  }

  #noteUse(path: string | Buffer, stats: Stats): boolean {
    if (stats.size <= smallFileBytes) return noteUse(path, stats);
    return this.#knownGood.keeping(path, () => noteUse(path, stats));
  }

  /** Valid until the next small file is read. */
  #getSmall(digest: Digest): Buffer | undefined {
    let fd: number;
    try {
      fd = openSync(fsPath(this.pathOf(digest)), constants.O_RDONLY);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    try {
      const content = readSmallFile(fd, digest.sizeBytes);
      if (content?.byteLength !== digest.sizeBytes) throw wrongSize(digest, fstatSync(fd).size);
      this.#expectGood(digest, digestOf(content));
      return content;
    } finally {
      closeSync(fd);
    }
  }

  async *#readLarge(digest: Digest, options: BlobOptions & { reuse?: boolean }): AsyncGenerator<Uint8Array> {
    const path = fsPath(this.pathOf(digest));
    const hasher = new DigestHasher();
    const file = await open(path, 'r');
    try {
      if (this.#knownGood.has(path)) {
        yield* chunksOfFile(file, options);
        return;
      }
      const before = this.#knownGood.look(path);
      for await (const chunk of chunksOfFile(file, options)) {
        hasher.update(chunk);
        // The last chunk is handed out only when all of it was good.
        if (hasher.sizeBytes >= digest.sizeBytes) this.#expectGood(digest, hasher.digest());
        yield chunk;
      }
      this.#expectGood(digest, hasher.digest());
      if (before !== undefined) this.#knownGood.add(path, before);
    } finally {
      await file.close();
    }
  }

  #expectGood(digest: Digest, actual: Digest): void {
    if (equalDigests(digest, actual)) return;
    unlinkSync(fsPath(this.pathOf(digest)));
    expectDigest(digest, actual, `Stored blob is bad and was dropped`);
  }

  #newTemp(): string {
    return `${this.#tempPrefix}${this.#tempCount++}`;
  }

  #putSmall(digest: Digest, content: Uint8Array): void {
    const temp = this.#newTemp();
    this.#withFolders(digest, () => writeSmallFile(temp, content, blobMode));
    try {
      this.#withFolders(digest, () => renameSync(fsPath(temp), fsPath(this.pathOf(digest))));
    } catch (error) {
      unlinkSync(fsPath(temp));
      throw error;
    }
  }

  /** @returns the digest of what was stored */
  async #write(
    chunks: AsyncIterable<Uint8Array>,
    { action, expected, signal }: BlobOptions & { action: string; expected?: Digest },
  ): Promise<Digest> {
    return explaining(action, async () => {
      this.#makeFolders(expected);
      await using writer = await SparseFileWriter.create(this.#newTemp());
      const hasher = new DigestHasher();
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        hasher.update(chunk);
        if (expected && hasher.sizeBytes > expected.sizeBytes) break;
        await writer.write(chunk);
      }
      const digest = hasher.digest();
      if (expected) expectDigest(expected, digest, action);
      await writer.close(blobMode);
      this.#makeFolders(digest);
      await writer.moveTo(this.pathOf(digest));
      this.#knownGood.add(fsPath(this.pathOf(digest)));
      return digest;
    });
  }

  /** Hashes a large file that was made under a temporary name, and moves it into place. */
  async #keep(temp: string, options: BlobOptions): Promise<Digest> {
    let isKept = false;
    const hasher = new DigestHasher();
    const file = await open(fsPath(temp), 'r');
    try {
      for await (const chunk of chunksOfFile(file, { ...options, reuse: true })) hasher.update(chunk);
      await file.chmod(blobMode);
      const digest = hasher.digest();
      // A blob that is there is kept if it is still good: ext4 writes out what is renamed over something, 1 ms.
      if (await this.verify(digest, options)) return digest;
      this.#withFolders(digest, () => renameSync(fsPath(temp), fsPath(this.pathOf(digest))));
      isKept = true;
      this.#knownGood.add(fsPath(this.pathOf(digest)));
      return digest;
    } finally {
      await file.close();
      if (!isKept) unlinkSync(fsPath(temp));
    }
  }

  /** Folders are made when first missed. */
  #withFolders(digest: Digest, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      this.#makeFolders(digest);
      action();
    }
  }

  #makeFolders(digest: Digest = emptyDigest): void {
    mkdirSync(fsPath(`${this.dir}/tmp`), { recursive: true });
    mkdirSync(fsPath(`${this.dir}/${digest.hash.slice(0, 2)}`), { recursive: true });
  }
}

function removeStaleTemps(dir: string): void {
  const oldest = Date.now() - staleTempMs;
  for (const name of readdirSync(fsPath(dir), 'utf8')) {
    const path = fsPath(join(dir, name));
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats || stats.mtimeMs >= oldest) continue;
    try {
      unlinkSync(path);
    } catch (error) {
      // Another process that opens the store was faster.
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}

async function explaining<T>(action: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw explainDiskFull(error, action);
  }
}

function wrongSize(digest: Digest, sizeBytes: number): AppError {
  return new AppError(`Stored blob ${formatDigest(digest)} has ${sizeBytes} bytes`, {
    code: 'digest-mismatch',
  });
}

function absent(action: string): never {
  throw new AppError(`${action}: it is not in the store`, { code: 'blob-missing', category: 'not-found' });
}
