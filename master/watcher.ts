import { resolve } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { type FrameReader, FrameSplitter, FrameWriter } from '../protocol/frame.ts';
import { ChangedFlag, ChangedPathFlag, WatchFrame } from '../protocol/frame-types.ts';
import { AppError } from '../runtime/app-error.ts';
import { type Child, spawnChild } from '../runtime/child-process.ts';

/** What changed since the previous drain. */
export interface Changes {
  /** The kernel dropped events: anything may have changed. */
  overflow: boolean;
  /** Absolute paths of entries that were made, removed, renamed, written or had their attributes changed. */
  paths: string[];
  /** Those of them whose content may have changed whatever their times say: somebody who had them open for writing let go. */
  written: string[];
  /** Something was mounted or unmounted, anywhere. */
  mounts: boolean;
}

const defaultBinary = resolve(import.meta.dirname, '../../native/build/termite-watch');

interface Waiting {
  resolve(frame: FrameReader): void;
  reject(error: Error): void;
}

/**
 * The native watcher (native/watch) as a child process: inotify over a tree and over single directories. The kernel
 * queues events before the changing system call returns, so a drain tells everything that happened before it was asked.
 * It also knows when processes end.
 *
 * Once the process is gone, every call rejects with AppError `watcher-lost`.
 */
export class Watcher implements AsyncDisposable {
  readonly #child: Child;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #lost: AppError | undefined;

  /**
   * @param binary path of termite-watch
   * @throws AppError `cannot-start`
   */
  static async start(binary = defaultBinary): Promise<Watcher> {
    return new Watcher(await spawnChild(binary, []));
  }

  private constructor(child: Child) {
    this.#child = child;
    const splitter = new FrameSplitter();
    let complaints = '';
    child.stdout.on('data', (chunk: Buffer) => {
      for (const frame of splitter.push(chunk)) this.#receive(frame);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints = (complaints + text).slice(-2000);
    });
    void child.ended.then((status) => {
      const how = status.kind === 'exit' ? `with status ${status.code}` : `by signal ${status.signal}`;
      this.#lose(`The watcher ended ${how}${complaints && `: ${complaints.trim()}`}`);
    });
  }

  /**
   * Watches a directory with everything below it, also what is made there later.
   *
   * @param excluded paths relative to `root` that are left out with everything below them
   * @returns the number of directories watched
   * @throws a system error (ENOSPC: the limit of inotify watches)
   */
  async watchTree(root: string, excluded: readonly string[]): Promise<number> {
    const frame = await this.#ask(WatchFrame.watchTree, (writer) =>
      writer.text(root).list(excluded, (path) => writer.text(path)),
    );
    return readReady(frame, `watch tree "${root}"`);
  }

  /** Watches the entries of one directory. @throws a system error, e.g. ENOENT */
  async watchDirectory(path: string): Promise<void> {
    const frame = await this.#ask(WatchFrame.watchDirectory, (writer) => writer.text(path));
    readReady(frame, `watch "${path}"`);
  }

  unwatchDirectory(path: string): void {
    if (!this.#lost)
      this.#child.stdin.write(new FrameWriter(WatchFrame.unwatchDirectory).text(path).finish());
  }

  /** Resolves when a process has ended, at once when there is none of that number. */
  async processEnded(pid: number): Promise<void> {
    await this.#ask(WatchFrame.watchProcess, (writer) => writer.u32(pid));
  }

  async drain(): Promise<Changes> {
    const frame = await this.#ask(WatchFrame.drain, (writer) => writer);
    const flags = frame.u32();
    const written: string[] = [];
    const paths = frame.list(() => {
      const path = frame.text();
      if (frame.u32() & ChangedPathFlag.written) written.push(path);
      return path;
    });
    const isSet = (flag: number) => (flags & flag) !== 0;
    return { overflow: isSet(ChangedFlag.overflow), mounts: isSet(ChangedFlag.mounts), paths, written };
  }

  /** Those of some files that somebody has open for writing, as far as that can be told: so not of files of other users. */
  async findWriters(paths: readonly string[]): Promise<string[]> {
    const frame = await this.#ask(WatchFrame.findWriters, (writer) =>
      writer.list(paths, (path) => writer.text(path)),
    );
    return frame.list(() => paths[frame.u32()]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.close();
  }

  #ask(type: number, write: (writer: FrameWriter) => FrameWriter): Promise<FrameReader> {
    if (this.#lost) return Promise.reject(this.#lost);
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(write(new FrameWriter(type).u32(id)).finish());
    });
  }

  #receive(frame: FrameReader): void {
    const id = frame.u32();
    this.#waiting.get(id)?.resolve(frame);
    this.#waiting.delete(id);
  }

  #lose(message: string): void {
    this.#lost ??= new AppError(message, { code: 'watcher-lost' });
    for (const { reject } of this.#waiting.values()) reject(this.#lost);
    this.#waiting.clear();
  }
}

function readReady(frame: FrameReader, action: string): number {
  const errno = frame.u32();
  const message = frame.text();
  const directoryCount = frame.u32();
  if (errno === 0) return directoryCount;
  const code = getSystemErrorName(-errno);
  throw Object.assign(new Error(`Cannot ${action}: ${message || code}`), { code, errno: -errno });
}
