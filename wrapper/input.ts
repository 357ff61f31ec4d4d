import { Readable } from 'node:stream';

/**
 * The stdin of a command that a master runs: read for the master as it asks, and kept, so that the command finds all of it
 * when it has to run here after all.
 */
export class Input {
  readonly #stream: Readable;
  readonly #kept: Buffer[] = [];

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  /** The next bytes, at most `maxBytes`; empty at the end. */
  async read(maxBytes: number): Promise<Buffer> {
    const chunk = await this.#next(maxBytes);
    this.#kept.push(chunk);
    return chunk;
  }

  /** All of it from the beginning; `inherit` if nobody has read any. */
  rest(): Readable | 'inherit' {
    if (this.#kept.length === 0) return 'inherit';
    const [kept, stream] = [this.#kept, this.#stream];
    return Readable.from(
      (async function* () {
        yield* kept.filter(({ length }) => length > 0);
        yield* stream;
      })(),
      { objectMode: false },
    );
  }

  #next(maxBytes: number): Promise<Buffer> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      const attempt = () => {
        const chunk: Buffer | null = stream.read(Math.min(maxBytes, stream.readableLength || maxBytes));
        if (chunk === null && !stream.readableEnded) return void stream.once('readable', attempt);
        stream.off('end', atEnd);
        resolve(chunk ?? Buffer.alloc(0));
      };
      const atEnd = () => {
        stream.off('readable', attempt);
        resolve(Buffer.alloc(0));
      };
      stream.once('end', atEnd);
      attempt();
    });
  }
}
