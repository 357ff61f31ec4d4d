import type { Socket } from 'node:net';
import { type FrameReader, FrameSplitter } from '../protocol/frame.ts';

/** A connected socket that speaks frames. A peer that breaks the protocol is cut off; nobody else notices. */
export class FrameSocket {
  readonly #socket: Socket;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;

  /** @param onFrame called for each frame in order; what it throws ends the connection */
  constructor(socket: Socket, onFrame: (frame: FrameReader) => void) {
    this.#socket = socket;
    const splitter = new FrameSplitter();
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of splitter.push(chunk)) {
          if (!socket.destroyed) onFrame(frame);
        }
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    // A peer that goes away is told by `closed`.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  /** Sends a frame; nothing happens when the peer is gone. */
  send(frame: Buffer): void {
    if (this.#socket.writable) this.#socket.write(frame);
  }

  /** Sends a frame and resolves when the peer has kept up, or is gone. */
  async sendAndDrain(frame: Buffer): Promise<void> {
    if (!this.#socket.writable || this.#socket.write(frame)) return;
    await Promise.race([this.closed, new Promise<void>((drained) => this.#socket.once('drain', drained))]);
  }

  /** Closes once all has been sent. */
  end(): void {
    this.#socket.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
  }
}
