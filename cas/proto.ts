import { encodeBytes } from '../runtime/byte-path.ts';

/** Source of the wire types: https://protobuf.dev/programming-guides/encoding */
export const WireType = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/**
 * Writes a proto3 message from its end to its beginning, so that the length of a nested message is known when its turn
 * comes: write fields in descending order of their numbers, lists from their last item.
 */
export class BackwardProtoWriter {
  #buffer: Buffer;
  #start: number;

  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes);
    this.#start = expectedBytes;
  }

  /** @param value a bigint where it may be negative or beyond what a number can hold */
  varint(field: number, value: number | bigint): void {
    this.#varint(value);
    this.#key(field, WireType.varint);
  }

  /** An operating-system string, see runtime/byte-path.ts. */
  text(field: number, value: string): void {
    if (value.isWellFormed()) {
      const length = Buffer.byteLength(value);
      this.#reserve(length);
      this.#start -= length;
      this.#buffer.write(value, this.#start, 'utf8');
      this.#varint(length);
    } else {
      const bytes = encodeBytes(value);
      this.#reserve(bytes.length);
      this.#start -= bytes.length;
      this.#buffer.set(bytes, this.#start);
      this.#varint(bytes.length);
    }
    this.#key(field, WireType.lengthDelimited);
  }

  /** Where a nested message ends; give it to `message` once its fields are written. */
  end(): number {
    return this.#buffer.length - this.#start;
  }

  message(field: number, end: number): void {
    this.#varint(this.end() - end);
    this.#key(field, WireType.lengthDelimited);
  }

  finish(): Buffer {
    return this.#buffer.subarray(this.#start);
  }

  #key(field: number, type: number): void {
    this.#varint(field * 8 + type);
  }

  #varint(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === 'bigint') {
      this.#bigVarint(value);
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
    this.#start -= length;
    let rest = value;
    for (let i = 0; i < length - 1; i++) {
      this.#buffer[this.#start + i] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#start + length - 1] = rest;
  }

  /** Negative numbers are spelt as 64-bit two's complement. */
  #bigVarint(value: bigint): void {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
    this.#start -= bytes.length;
    this.#buffer.set(bytes, this.#start);
  }

  #reserve(extra: number): void {
    if (extra <= this.#start) return;
    const used = this.#buffer.length - this.#start;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + extra));
    this.#buffer.copy(grown, grown.length - used, this.#start);
    this.#start = grown.length - used;
    this.#buffer = grown;
  }
}

/** Reads the fields of one proto3 message. @throws RangeError when the bytes are no message */
export class ProtoReader {
  /** Number and wire type of the present field; its value must be read or skipped before the next `next`. */
  field = 0;
  type: number = WireType.varint;
  readonly #bytes: Buffer;
  #offset: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  /** Moves on to the next field; false at the end. */
  next(): boolean {
    if (this.#offset === this.#end) return false;
    const key = this.varint();
    this.type = key % 8;
    this.field = (key - this.type) / 8;
    if (this.field === 0) throw new RangeError('field number 0');
    return true;
  }

  is(field: number, type: number): boolean {
    return this.field === field && this.type === type;
  }

  /** An unsigned number. */
  varint(): number {
    const value = this.bigVarint();
    if (typeof value === 'number') return value;
    throw new RangeError('number too large');
  }

  /** A number of up to 64 bits: a bigint, unsigned, only where it is beyond what a number can hold. */
  bigVarint(): number | bigint {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    let big = BigInt(value);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      big += BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      big = BigInt.asUintN(64, big);
      return big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
    }
    throw new RangeError('number too long');
  }

  /** A nested message. */
  message(): ProtoReader {
    const start = this.#skipBytes();
    return new ProtoReader(this.#bytes, start, this.#offset);
  }

  /** A view into the bytes. */
  bytes(): Buffer {
    const start = this.#skipBytes();
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Passes over a field that the reader does not know. */
  skip(): void {
    if (this.type === WireType.varint) this.bigVarint();
    else if (this.type === WireType.lengthDelimited) this.#skipBytes();
    else if (this.type === WireType.fixed64) this.#advance(8);
    else if (this.type === WireType.fixed32) this.#advance(4);
    else throw new RangeError(`wire type ${this.type}`);
  }

  #byte(): number {
    if (this.#offset >= this.#end) throw new RangeError('cut short');
    return this.#bytes[this.#offset++]!;
  }

  #skipBytes(): number {
    const length = this.varint();
    const start = this.#offset;
    this.#advance(length);
    return start;
  }

  #advance(count: number): void {
    if (count > this.#end - this.#offset) throw new RangeError('cut short');
    this.#offset += count;
  }
}
