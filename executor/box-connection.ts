import { connect, type Socket } from 'node:net';
import { FrameSplitter } from '../protocol/frame.ts';
import { describeError } from '../runtime/app-error.ts';
import { type BoxMessage, type BoxRequest, decodeBoxMessage, encodeBoxRequest } from './box-messages.ts';

/**
 * One job or one system mount, as the box knows it: a connection. Closing it ends whatever runs there. May be written
 * to at once, before it is established. The box says nothing before it is asked to do something.
 */
export class BoxConnection {
  /** Resolves, never rejects, when no more messages can come: why, in a few words. */
  readonly closed: Promise<string>;
  readonly #socket: Socket;
  #onMessage: (message: BoxMessage) => void = () => {};
  #isEnding = false;

  constructor(socketPath: string) {
    const splitter = new FrameSplitter();
    let problem: string | undefined;
    this.#socket = connect(socketPath);
    this.#socket.on('data', (chunk) => {
      try {
        for (const frame of splitter.push(chunk)) this.#onMessage(decodeBoxMessage(frame));
      } catch (error) {
        problem = describeError(error);
        this.#socket.destroy();
      }
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('error', (error) => {
        problem ??= describeError(error);
      });
      this.#socket.on('close', () => resolve(problem ?? 'the box closed the connection'));
    });
  }

  /** Sets who is told. */
  listen(onMessage: (message: BoxMessage) => void): this {
    this.#onMessage = onMessage;
    return this;
  }

  /** Does nothing when the connection is closed. @throws RangeError for what no frame can hold: then this is over */
  send(request: BoxRequest): void {
    if (!this.#socket.writable) return;
    let parts: readonly Uint8Array[];
    try {
      parts = encodeBoxRequest(request).finishParts();
    } catch (error) {
      this.close();
      throw error;
    }
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** Whether `close` has been called. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Tells the box that this is over; `closed` follows when it has cleaned up. Idempotent. */
  close(): void {
    this.#isEnding = true;
    this.#socket.end();
  }
}
