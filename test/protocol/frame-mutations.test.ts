import { readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { decodeBoxMessage } from '../../executor/box-messages.ts';
import { type FrameReader, FrameSplitter, FrameWriter } from '../../protocol/frame.ts';
import { decodeRun, encodeRun } from '../../protocol/run-request.ts';
import { decodeBytes, encodeBytes } from '../../runtime/byte-path.ts';
import { decodeUrlBytes, encodeUrlBytes } from '../../runtime/url-bytes.ts';
import { goldenPath } from '../fixtures/golden.ts';
import { mutateBytes } from '../harness/mutate.ts';
import { suite } from '../harness/suite.ts';

const seeds = readdirSync(goldenPath('.'))
  .filter((name) => name.endsWith('.bin') && !name.startsWith('directory-'))
  .map((name) => readFileSync(goldenPath(name)));
const runs = ['run.bin', 'run-empty.bin'].map((name) => readFileSync(goldenPath(name)));

/** What it gives, or undefined for a RangeError. */
function orRangeError<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof RangeError && !/call stack|array length/i.test(error.message)) return undefined;
    throw error;
  }
}

function framesOf(stream: Buffer): FrameReader[] {
  return orRangeError(() => new FrameSplitter().push(stream)) ?? [];
}

suite('frames that nobody of ours has sent', (test) => {
  test('FrameSplitter cuts mutated streams so that the frames, written again, are their beginning', () => {
    mutateBytes(seeds, (stream) => {
      const again = framesOf(stream).map((frame) => new FrameWriter(frame.type).raw(frame.rest()).finish());
      const written = Buffer.concat(again);
      assert.ok(written.equals(stream.subarray(0, written.length)));
    });
  });

  test('decodeBoxMessage() takes mutated frames or throws RangeError, whatever counts they claim', () => {
    const before = process.memoryUsage().arrayBuffers;
    mutateBytes(seeds, (stream) => {
      for (const frame of framesOf(stream)) orRangeError(() => decodeBoxMessage(frame));
    });
    assert.ok(process.memoryUsage().arrayBuffers - before < 100_000_000);
  });

  test('decodeRun() of mutated frames gives what encodes to the same, or throws RangeError', () => {
    let count = 0;
    mutateBytes(runs, (stream) => {
      for (const frame of framesOf(stream)) {
        const request = orRangeError(() => decodeRun(frame));
        if (!request) continue;
        const [again] = new FrameSplitter().push(encodeRun(request));
        assert.equal(decodeRun(again!), request);
        count += 1;
      }
    });
    assert.ok(count > 20, 'too few could be decoded');
  });

  test('FrameReader.list() refuses a count that the payload cannot hold before it makes room for it', () => {
    // So many that an array of them would still be made in one piece.
    const payload = new FrameWriter(1).u32(30_000_000).raw(Buffer.alloc(4_000)).finish();
    const [frame] = new FrameSplitter().push(payload);
    let read = 0;
    assert.throws(
      () => frame!.list(() => (read += 1)),
      (error: unknown) => error instanceof RangeError,
    );
    assert.is(read, 0);
  });
});

suite('strings of the system', (test) => {
  test('decodeBytes() and encodeBytes() keep any bytes, and so do those of URLs', () => {
    mutateBytes([...seeds, Buffer.from('ä€😀\ud800%41%zz')], (bytes) => {
      const text = decodeBytes(bytes);
      assert.ok(encodeBytes(text).equals(bytes));
      assert.is(decodeUrlBytes(encodeUrlBytes(text)), text);
      decodeUrlBytes(text);
    });
  });
});
