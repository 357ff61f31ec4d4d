import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { fsPath } from '../runtime/byte-path.ts';
import { zeros } from './chunks.ts';

/** Zeros of at least this many bytes are left out of the file: its file system reads holes as zeros. */
const holeBytes = 64 * 1024;

/** Writes a new file from its beginning; leaves holes where the content is zeros. */
export class SparseFileWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  #position = 0;
  #endsInHole = false;
  #isOpen = true;
  #isKept = false;

  /** @throws EEXIST when there is one already */
  static async create(path: string): Promise<SparseFileWriter> {
    return new SparseFileWriter(path, await open(fsPath(path), 'wx', 0o600));
  }

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** The chunk may be reused once this has resolved. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#endsInHole = isHole(chunk);
    if (!this.#endsInHole) await this.#writeAll(chunk);
    this.#position += chunk.byteLength;
  }

  /** Gives the file its permission bits and closes it. */
  async close(mode: number): Promise<void> {
    if (this.#endsInHole) await this.#file.truncate(this.#position);
    await this.#file.chmod(mode);
    this.#isOpen = false;
    await this.#file.close();
  }

  /** Leaves the closed file where it is. */
  keep(): void {
    this.#isKept = true;
  }

  /** Moves the closed file. */
  async moveTo(destination: string): Promise<void> {
    await rename(fsPath(this.#path), fsPath(destination));
    this.#isKept = true;
  }

  /** Removes a file that was neither kept nor moved. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOpen) await this.#file.close();
    if (!this.#isKept) await unlink(fsPath(this.#path));
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.byteLength; ) {
      const { bytesWritten } = await this.#file.write(
        chunk,
        done,
        chunk.byteLength - done,
        this.#position + done,
      );
      done += bytesWritten;
    }
  }
}

function isHole(chunk: Uint8Array): boolean {
  const { byteLength } = chunk;
  if (chunk.buffer === zeros.buffer) return true;
  // The last byte first: most chunks are told apart by it.
  if (byteLength < holeBytes || byteLength > zeros.length || chunk[byteLength - 1] !== 0) return false;
  return Buffer.compare(chunk, zeros.subarray(0, byteLength)) === 0;
}
