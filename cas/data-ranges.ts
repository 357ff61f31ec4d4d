import type { FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { runProgram } from '../runtime/child-process.ts';

const program = resolve(import.meta.dirname, '../../native/build/termite-extents');
/** Below this, reading zeros is cheaper than asking for holes: 3 to 13 ms, the start of a program. */
const leastSavedBytes = 32 * 1024 * 1024;
const leastHoleBytes = 1024 * 1024;

/** A part of a file: from its first byte to the one after its last. */
export interface DataRange {
  start: number;
  end: number;
}

/**
 * The parts of an open file that hold data, in order: what is between them, and behind the last one, are zeros that need not
 * be read. Only for files that are much longer than what they take on the disk; undefined for others, and where nobody can
 * tell. Node cannot ask for holes, hence a program. Reads of the file must name their position afterwards.
 */
export async function dataRanges(
  file: FileHandle,
): Promise<{ ranges: DataRange[]; size: number } | undefined> {
  const { size, blocks } = await file.stat();
  if (size - blocks * 512 < leastSavedBytes) return undefined;
  try {
    const { status, stdout } = await runProgram(program, [String(file.fd), String(leastHoleBytes)], {
      stdin: 'ignore',
      stderr: 'ignore',
      inherited: [file.fd],
    });
    if (status.kind !== 'exit' || status.code !== 0) return undefined;
    return { ranges: parse(stdout.toString('latin1')), size };
  } catch {
    // Without the program, or without room for a process: the file can be read as any other.
    return undefined;
  }
}

function parse(text: string): DataRange[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [start = 0, length = 0] = line.split(' ').map(Number);
      return { start, end: start + length };
    });
}
