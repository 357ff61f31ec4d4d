import { decodeBytes, encodeBytes } from '../runtime/byte-path.ts';
import type { Digest } from './digest.ts';

/**
 * The framing that the C programs and Node speak over unix sockets and pipes, little endian:
 * `u32 length of the payload · u32 type · payload`. A payload is a fixed order of `u32`, `u64`, `bytes` (u32 count and
 * raw bytes) and `list` (u32 count and its items). Byte-exact examples: native/test/golden.
 */
export const maxPayloadBytes = 64 * 1024 * 1024;
const headerBytes = 8;
/** Of an item of a list: the shortest fields are a `u32` and empty `bytes`. */
const leastItemBytes = 4;
/** See WIRE_TIME_FIRST in native/lib/wire.h. */
const firstTimeNs = -(2n ** 31n) * 1_000_000_000n;
/** What is longer is sent as it is, not copied: the memory of copies has V8 collect its garbage again and again. */
const referencedBytes = 8 * 1024;

/** Builds one frame. Long bytes must not be changed before it has been sent. */
export class FrameWriter {
  #buffer: Buffer;
  #length = headerBytes;
  /** What comes before the buffer. */
  readonly #parts: Uint8Array[] = [];

  constructor(type: number, expectedBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(headerBytes + expectedBytes);
    this.#buffer.writeUInt32LE(type, 4);
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  u64(value: bigint | number): this {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigUInt64LE(BigInt(value), this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.u32(value.byteLength);
    return this.raw(value);
  }

  /** An operating-system string, see runtime/byte-path.ts. */
  text(value: string): this {
    return this.bytes(encodeBytes(value));
  }

  digest(digest: Digest): this {
    return this.text(digest.hash).u64(digest.sizeBytes);
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** Bytes without a count: the rest of the payload. */
  raw(value: Uint8Array): this {
    if (value.byteLength >= referencedBytes) return this.#refer(value);
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#length);
    this.#length += value.byteLength;
    return this;
  }

  /** The whole frame; the writer must not be used afterwards. */
  finish(): Buffer {
    const parts = this.finishParts();
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  }

  /** The same in pieces, to be sent one after the other. */
  finishParts(): readonly Uint8Array[] {
    this.#parts.push(this.#buffer.subarray(0, this.#length));
    const first = this.#parts[0] as Buffer;
    first.writeUInt32LE(
      this.#parts.reduce((sum, part) => sum + part.byteLength, -headerBytes),
      0,
    );
    return this.#parts;
  }

  #refer(value: Uint8Array): this {
    this.#parts.push(this.#buffer.subarray(0, this.#length), value);
    this.#buffer = this.#buffer.subarray(this.#length);
    this.#length = 0;
    return this;
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(256, this.#buffer.length * 2, this.#length + extra));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads the fields of one payload in order. @throws RangeError when the payload ends too early */
export class FrameReader {
  readonly type: number;
  readonly #payload: Buffer;
  #offset = 0;

  constructor(type: number, payload: Buffer) {
    this.type = type;
    this.#payload = payload;
  }

  u32(): number {
    const value = this.#payload.readUInt32LE(this.#offset);
    this.#offset += 4;
    return value;
  }

  /** A `u64` that is nanoseconds since 1970, negative ones included. */
  time(): bigint {
    return BigInt.asUintN(64, this.u64() - firstTimeNs) + firstTimeNs;
  }

  u64(): bigint {
    const value = this.#payload.readBigUInt64LE(this.#offset);
    this.#offset += 8;
    return value;
  }

  /** A view into the payload. */
  bytes(): Buffer {
    const length = this.u32();
    const end = this.#offset + length;
    if (end > this.#payload.length) throw new RangeError(`Frame 0x${this.type.toString(16)} ends too early`);
    const value = this.#payload.subarray(this.#offset, end);
    this.#offset = end;
    return value;
  }

  text(): string {
    return decodeBytes(this.bytes());
  }

  digest(): Digest {
    return { hash: this.text(), sizeBytes: Number(this.u64()) };
  }

  /** A count that the rest of the payload cannot hold is refused before there is room made for it. */
  list<T>(read: () => T): T[] {
    const length = this.u32();
    if (length * leastItemBytes > this.#payload.length - this.#offset)
      throw new RangeError(`Frame 0x${this.type.toString(16)} ends too early`);
    return Array.from({ length }, read);
  }

  /** The rest of the payload, a view. */
  rest(): Buffer {
    const value = this.#payload.subarray(this.#offset);
    this.#offset = this.#payload.length;
    return value;
  }
}

/** Cuts a byte stream into frames. Feed it chunks as they arrive. */
export class FrameSplitter {
  #pending: Buffer = Buffer.alloc(0);

  /** The frames that `chunk` completes, in order. @throws RangeError when a frame claims more than the maximum */
  push(chunk: Buffer): FrameReader[] {
    let data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const frames: FrameReader[] = [];
    while (data.length >= headerBytes) {
      const length = data.readUInt32LE(0);
      const type = data.readUInt32LE(4);
      if (length > maxPayloadBytes)
        throw new RangeError(`Frame 0x${type.toString(16)} of ${length} bytes is too long`);
      if (data.length < headerBytes + length) break;
      frames.push(new FrameReader(type, data.subarray(headerBytes, headerBytes + length)));
      data = data.subarray(headerBytes + length);
    }
    this.#pending = data;
    return frames;
  }
}
