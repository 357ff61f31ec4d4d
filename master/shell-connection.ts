import { type FrameReader, FrameWriter } from '../protocol/frame.ts';
import { LocalFlag, ShellFrame } from '../protocol/frame-types.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import type { Caller, LocalRun } from './caller.ts';
import type { FrameSocket } from './frame-socket.ts';

/** A shell on the other end of a connection, which waits for its command. */
export class ShellConnection implements Caller {
  readonly #socket: FrameSocket;
  readonly #gone = new AbortController();
  #isAnswered = false;
  #lastStdinId = 0;
  #stdin: { id: number; resolve(chunk: Uint8Array): void; reject(error: Error): void } | undefined;

  constructor(socket: FrameSocket) {
    this.#socket = socket;
    void socket.closed.then(() => {
      // Nobody listens any more once it has its answer, and an abort makes an error with a stack.
      if (!this.#isAnswered) this.#gone.abort();
      this.#stdin?.reject(new Error('The shell is gone'));
    });
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Takes a frame that comes after RUN. @throws RangeError for one that has no place there */
  receive(frame: FrameReader): void {
    if (frame.type === ShellFrame.cancel) {
      this.#gone.abort();
    } else if (frame.type === ShellFrame.stdin) {
      if (frame.u32() !== this.#stdin?.id) throw new RangeError('Unexpected stdin frame');
      const { resolve } = this.#stdin;
      this.#stdin = undefined;
      resolve(frame.bytes());
    } else {
      throw new RangeError(`Unexpected frame 0x${frame.type.toString(16)}`);
    }
  }

  runLocally({ isRecursive, holdsSlot, hasEmptyStdin, envEdits }: LocalRun): void {
    const flags =
      (isRecursive ? 0 : LocalFlag.alone) |
      (holdsSlot ? LocalFlag.slot : 0) |
      (hasEmptyStdin ? LocalFlag.emptyStdin : 0);
    const frame = new FrameWriter(ShellFrame.local).u32(flags);
    this.#answer(frame.list(envEdits, (edit) => frame.text(edit)).finish());
  }

  committing(): void {
    this.#socket.send(new FrameWriter(ShellFrame.committing).finish());
  }

  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): Promise<void> {
    return this.#socket.sendAndDrain(
      new FrameWriter(ShellFrame[stream], chunk.byteLength).raw(chunk).finish(),
    );
  }

  exited(status: ExitStatus): void {
    const frame = new FrameWriter(ShellFrame.exited);
    if (status.kind === 'exit') frame.u32(0).u32(status.code);
    else frame.u32(1).u32(status.signal);
    this.#answer(frame.finish());
  }

  cancelled(): void {
    this.#answer(new FrameWriter(ShellFrame.cancelled).finish());
  }

  abandon(): void {
    this.#socket.destroy();
  }

  readStdin(maxBytes: number): Promise<Uint8Array> {
    if (this.#stdin) return Promise.reject(new Error('Internal error: stdin is being read already'));
    if (!this.#socket.isOpen) return Promise.reject(new Error('The shell is gone'));
    this.#lastStdinId += 1;
    const id = this.#lastStdinId;
    return new Promise((resolve, reject) => {
      this.#stdin = { id, resolve, reject };
      this.#socket.send(new FrameWriter(ShellFrame.wantStdin).u32(id).u32(maxBytes).finish());
    });
  }

  #answer(frame: Buffer): void {
    this.#isAnswered = true;
    this.#socket.send(frame);
    this.#socket.end();
  }
}
