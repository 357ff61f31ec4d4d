import { closeSync, fdatasync, fsyncSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { digestSchema } from '../protocol/digest.ts';
import { pathInTreeSchema, timeSchema } from '../protocol/os-values.ts';
import { describeError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { runProgram } from '../runtime/child-process.ts';
import { isErrno } from '../runtime/errno.ts';
import { encodeJson } from '../runtime/json.ts';
import { SharedTask } from './shared-task.ts';

const writtenFileSchema = z.strictObject({
  path: pathInTreeSchema,
  inode: z.number().int(),
  mtimeNs: timeSchema,
  digest: digestSchema,
  /** Nothing stood there before. */
  isNew: z.boolean(),
});
const recordSchema = z.union([
  z.strictObject({ boot: z.string() }),
  z.strictObject({ id: z.string(), files: z.array(writtenFileSchema) }),
  z.strictObject({ ended: z.string() }),
]);

/** A file that got its name from a commit; it keeps inode and time when it is moved, and not when it is changed. */
export type WrittenFile = z.infer<typeof writtenFileSchema>;

/** Part of a commit: files that were brought into place together. */
export interface AppliedPart {
  id: string;
  files: readonly WrittenFile[];
  /** Whether the commit is known to have come to its end. */
  hasEnded: boolean;
}

export interface AppliedLogOptions {
  /** Absolute path of its file; nobody else may use it. */
  path: string;
  projectRoot: string;
  bootId: string;
  onNotice: (message: string) => void;
}

/** Written ahead: syncing what has its place on the disk already writes nothing but that. */
const reservedBytes = 1024 * 1024;
const datasync = promisify(fdatasync);

/**
 * Which files were brought into place since the project was synced last. After a power failure a file may have its name
 * and its time, and not its content: so each is in this log, on the disk, before it gets its name. That is one
 * fdatasync for all the files of a commit, shared by commits that wait for it at the same time; the files themselves are
 * synced together when nobody waits, and forgotten here.
 *
 * A log that cannot be written is told of, and fails nothing.
 */
export class AppliedLog implements AsyncDisposable {
  /** What another boot had not synced, in order. */
  readonly unsynced: readonly AppliedPart[];
  readonly #options: AppliedLogOptions;
  readonly #syncing = new SharedTask(() => this.#sync());
  readonly #settling = new SharedTask(() => this.#settle());
  readonly #closing = new AbortController();
  /** Commits that have not ended. */
  readonly #underWay = new Set<string>();
  #file: number | undefined;
  #isNamed = false;
  #position = 0;
  #hasTold = false;

  constructor(options: AppliedLogOptions) {
    this.#options = options;
    const { boot, parts, sizeBytes } = read(options.path);
    const isOfAnotherBoot = boot !== options.bootId;
    this.unsynced = isOfAnotherBoot ? parts : [];
    if (boot === undefined || isOfAnotherBoot) return;
    this.#file = openSync(fsPath(options.path), 'r+');
    this.#position = sizeBytes;
  }

  /** To be called before the files get their names; resolves when it is on the disk. */
  async writing(id: string, files: readonly WrittenFile[]): Promise<void> {
    this.#underWay.add(id);
    await this.#trying(async () => {
      this.#file ??= this.#begin();
      this.#append({ id, files });
      await this.#syncing.run();
    });
  }

  /** That it has ended need not be known at once: what it made would be made again. */
  async ended(id: string): Promise<void> {
    if (!this.#underWay.delete(id) || this.#file === undefined) return;
    await this.#trying(async () => this.#append({ ended: id }));
  }

  /** Syncs the project, and begins anew if nothing has been applied meanwhile. Never rejects. */
  async settle(): Promise<void> {
    if (this.#file !== undefined) await this.#trying(() => this.#settling.run());
  }

  /** What another boot had not synced has been put right. */
  async forgetUnsynced(): Promise<void> {
    if (this.unsynced.length === 0) return;
    await this.#trying(async () => {
      await this.#syncProject();
      unlinkSync(fsPath(this.#options.path));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The kernel goes on writing, also when nobody waits for it any more.
    this.#closing.abort();
    await this.#syncing.idle();
    this.#close();
  }

  async #settle(): Promise<void> {
    const position = this.#position;
    await this.#syncProject();
    await this.#syncing.idle();
    if (this.#position !== position || this.#underWay.size > 0 || this.#closing.signal.aborted) return;
    this.#close();
    unlinkSync(fsPath(this.#options.path));
  }

  /** Of the whole file system in one go, which Node has no call for. */
  async #syncProject(): Promise<void> {
    const { projectRoot } = this.#options;
    const { signal } = this.#closing;
    const { status } = await runProgram('sync', ['-f', projectRoot], { stdin: 'ignore', signal });
    if (status.kind !== 'exit' || status.code !== 0) throw new Error(`"${projectRoot}" cannot be synced`);
  }

  #begin(): number {
    const file = openSync(fsPath(this.#options.path), 'w', 0o600);
    writeSync(file, Buffer.alloc(reservedBytes), 0, reservedBytes, 0);
    this.#position = 0;
    this.#isNamed = false;
    this.#file = file;
    this.#append({ boot: this.#options.bootId });
    return file;
  }

  #append(record: unknown): void {
    const json = encodeJson(record);
    const line = Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} ${json}\n`);
    for (let done = 0; done < line.length; )
      done += writeSync(this.#file!, line, done, line.length - done, this.#position + done);
    this.#position += line.length;
  }

  async #sync(): Promise<void> {
    await datasync(this.#file!);
    if (this.#isNamed) return;
    const directory = openSync(fsPath(dirname(this.#options.path)), 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    this.#isNamed = true;
  }

  #close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  async #trying(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.#closing.signal.aborted || this.#hasTold) return;
      this.#hasTold = true;
      this.#options.onNotice(`A power failure could damage what is built now: ${describeError(error)}`);
    }
  }
}

/** Up to the first line that is not whole. */
function read(path: string): { boot: string | undefined; parts: AppliedPart[]; sizeBytes: number } {
  let boot: string | undefined;
  let sizeBytes = 0;
  const parts: AppliedPart[] = [];
  const ended = new Set<string>();
  for (const line of readIfThere(path).split('\n')) {
    const json = line.slice(9);
    if (Number.parseInt(line.slice(0, 8), 16) !== crc32(json)) break;
    const record = recordSchema.safeParse(JSON.parse(json)).data;
    if (!record) break;
    if ('boot' in record) boot = record.boot;
    else if ('ended' in record) ended.add(record.ended);
    else parts.push({ ...record, hasEnded: false });
    sizeBytes += Buffer.byteLength(line) + 1;
  }
  return { boot, parts: parts.map((part) => ({ ...part, hasEnded: ended.has(part.id) })), sizeBytes };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(fsPath(path), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
