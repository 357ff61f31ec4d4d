import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { FrameReader, FrameSplitter, FrameWriter, maxPayloadBytes } from '../../protocol/frame.ts';
import { decodeBytes } from '../../runtime/byte-path.ts';
import { golden, goldenPath } from '../fixtures/golden.ts';
import { randomOf } from '../harness/random.ts';
import { suite } from '../harness/suite.ts';

type Field =
  | { kind: 'u32'; value: number }
  | { kind: 'u64'; value: string | number }
  | { kind: 'bytes'; hex: string }
  | { kind: 'raw'; hex: string }
  | { kind: 'digest'; hash: string; sizeBytes: string }
  | { kind: 'list'; of: Field[][] };

const cases = golden<{ file: string; type: number; name: string; fields: Field[] }[]>('frames.json');

suite('frame: byte-exact examples', (test) => {
  for (const { file, type, name, fields } of cases) {
    const bytes = readFileSync(goldenPath(file));
    test(`FrameWriter writes ${file}: ${name}`, () => {
      const writer = new FrameWriter(type, 0);
      for (const field of fields) write(writer, field);
      assert.is(writer.finish().toString('hex'), bytes.toString('hex'));
    });
    test(`FrameReader reads ${file}`, () => {
      const [frame, ...others] = new FrameSplitter().push(bytes);
      assert.is(frame!.type, type);
      assert.is(others.length, 0);
      for (const field of fields) check(frame!, field);
      assert.is(frame!.rest().length, 0);
    });
  }
});

suite('frame', (test) => {
  test('FrameReader reads times from 1901 to 2485, whatever the sign', () => {
    const nanosPerSecond = 1_000_000_000n;
    const times = [0n, -1n, -(2n ** 31n) * nanosPerSecond, 2n ** 63n, 16_250_000_000n * nanosPerSecond + 5n];
    const writer = new FrameWriter(1);
    for (const time of times) writer.u64(BigInt.asUintN(64, time));
    const [frame] = new FrameSplitter().push(writer.finish());
    for (const time of times) assert.is(frame!.time(), time);
  });

  test('FrameSplitter finds randomised frames however the stream is cut', () => {
    const random = randomOf(42);
    for (let round = 0; round < 200; round++) {
      const frames = Array.from({ length: 1 + random(6) }, () => ({
        type: random(2 ** 32),
        number: random(2 ** 32),
        big: BigInt(random(2 ** 32)) << 31n,
        // Long ones are not copied into the frame.
        bytes: Buffer.alloc(random(20) === 0 ? random(30_000) : random(300), random(256)),
        texts: Array.from({ length: random(5) }, () =>
          decodeBytes(Buffer.from([random(256), random(256), 65])),
        ),
      }));
      const stream = Buffer.concat(
        frames.map(({ type, number, big, bytes, texts }) => {
          const writer = new FrameWriter(type, random(40)).u32(number).u64(big).bytes(bytes);
          return writer.list(texts, (text) => writer.text(text)).finish();
        }),
      );
      const splitter = new FrameSplitter();
      const found: FrameReader[] = [];
      for (let start = 0; start < stream.length; ) {
        const end = Math.min(stream.length, start + 1 + random(100));
        found.push(...splitter.push(Buffer.from(stream.subarray(start, end))));
        start = end;
      }
      assert.equal(
        found.map((frame) => ({
          type: frame.type,
          number: frame.u32(),
          big: frame.u64(),
          bytes: Buffer.from(frame.bytes()),
          texts: frame.list(() => frame.text()),
        })),
        frames,
      );
    }
  });

  test('FrameReader throws RangeError when a payload ends too early', () => {
    const whole = new FrameWriter(1).u32(7).bytes(Buffer.from('abc')).finish().subarray(8);
    for (let length = 0; length < whole.length; length++) {
      const reader = new FrameReader(1, whole.subarray(0, length));
      assert.throws(
        () => {
          reader.u32();
          reader.bytes();
        },
        (error: unknown) => error instanceof RangeError,
      );
    }
  });

  test('FrameReader throws when a list claims more than there is', () => {
    const reader = new FrameReader(1, Buffer.from('ffffffff00000000', 'hex'));
    assert.throws(
      () => reader.list(() => reader.u32()),
      (error: unknown) => error instanceof RangeError,
    );
  });

  test('FrameSplitter refuses a frame beyond the maximum at its header', () => {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(maxPayloadBytes + 1);
    assert.throws(() => new FrameSplitter().push(header), /too long/);
  });
});

function write(writer: FrameWriter, field: Field): void {
  if (field.kind === 'u32') writer.u32(field.value);
  else if (field.kind === 'u64') writer.u64(BigInt(field.value));
  else if (field.kind === 'bytes') writer.bytes(Buffer.from(field.hex, 'hex'));
  else if (field.kind === 'raw') writer.raw(Buffer.from(field.hex, 'hex'));
  else if (field.kind === 'digest') writer.text(field.hash).u64(BigInt(field.sizeBytes));
  else {
    writer.list(field.of, (item) => {
      for (const part of item) write(writer, part);
    });
  }
}

function check(reader: FrameReader, field: Field): void {
  if (field.kind === 'u32') assert.is(reader.u32(), field.value);
  else if (field.kind === 'u64') assert.is(reader.u64(), BigInt(field.value));
  else if (field.kind === 'bytes') assert.is(reader.bytes().toString('hex'), field.hex);
  else if (field.kind === 'raw') assert.is(reader.rest().toString('hex'), field.hex);
  else if (field.kind === 'digest')
    assert.equal(reader.digest(), { hash: field.hash, sizeBytes: Number(field.sizeBytes) });
  else {
    const items = field.of[Symbol.iterator]();
    const found = reader.list(() => {
      for (const part of items.next().value as Field[]) check(reader, part);
    });
    assert.is(found.length, field.of.length);
  }
}
