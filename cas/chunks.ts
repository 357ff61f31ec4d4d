import type { FileHandle } from 'node:fs/promises';
import { AppError } from '../runtime/app-error.ts';
import { type DataRange, dataRanges } from './data-ranges.ts';

const chunkBytes = 1024 * 1024;
/** What holes of files are given as: of a chunk in this memory it need not be found out that it is zeros. */
export const zeros: Uint8Array = Buffer.alloc(chunkBytes);

/** Content held in memory as a stream. */
export async function* chunksOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.byteLength; start += chunkBytes) {
    yield content.subarray(start, start + chunkBytes);
  }
}

/**
 * A file that was opened just now, from its beginning to its end. Large holes are not read: they come as parts of `zeros`.
 *
 * @param reuse each chunk is valid until the next only: 0.7 s for a GB instead of 1
 */
export async function* chunksOfFile(
  file: FileHandle,
  { signal, reuse = false }: { signal?: AbortSignal; reuse?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  const sparse = await dataRanges(file);
  let space = Buffer.allocUnsafeSlow(chunkBytes);
  for (let position = 0; ; ) {
    signal?.throwIfAborted();
    const { isHole, end } = partAt(position, sparse);
    const wanted = Math.min(chunkBytes, end - position);
    if (isHole) {
      yield zeros.subarray(0, wanted);
      position += wanted;
      continue;
    }
    const { bytesRead } = await file.read(space, 0, wanted, position);
    if (bytesRead === 0) return;
    yield space.subarray(0, bytesRead);
    position += bytesRead;
    if (!reuse) space = Buffer.allocUnsafeSlow(chunkBytes);
  }
}

/** Takes out of `sparse` what lies before. What lies behind the size that the file had is read until its end. */
function partAt(
  position: number,
  sparse: { ranges: DataRange[]; size: number } | undefined,
): { isHole: boolean; end: number } {
  if (!sparse || position >= sparse.size) return { isHole: false, end: Number.POSITIVE_INFINITY };
  const { ranges, size } = sparse;
  while (ranges[0] && ranges[0].end <= position) ranges.shift();
  const [next] = ranges;
  if (!next) return { isHole: true, end: size };
  return next.start > position ? { isHole: true, end: next.start } : { isHole: false, end: next.end };
}

/** Puts a stream together. @throws AppError `digest-mismatch` as soon as there are more than `limitBytes` */
export async function collect(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    parts.push(chunk);
    length += chunk.byteLength;
    if (length > limitBytes) {
      throw new AppError(`Content is longer than ${limitBytes} bytes`, { code: 'digest-mismatch' });
    }
  }
  return Buffer.concat(parts, length);
}
