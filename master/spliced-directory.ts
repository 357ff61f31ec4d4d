import { decodeDirectory } from '../cas/directory.ts';
import { compareBytes } from '../runtime/byte-path.ts';

/** What stands at a name now. */
export interface SplicedEntry {
  name: string;
  /** 0 files, 1 directories, 2 symlinks: the order in a Directory; undefined: nothing. */
  list: number | undefined;
  /** The entry as a Directory with nothing else. */
  bytes: Buffer;
}

interface EntryList {
  /** Sorted by bytes. */
  names: string[];
  /** Where each entry ends in the blob. */
  ends: number[];
}

/**
 * An encoded Directory in which single entries can be replaced without encoding the others again: in protobuf, a message
 * is the concatenation of its fields, here of its entries in their order, and of the directory's own properties.
 */
export class SplicedDirectory {
  #bytes: Buffer;
  readonly #lists: EntryList[];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    const { files, directories, symlinks } = decodeDirectory(bytes);
    const ends = fieldEnds(bytes);
    let start = 0;
    this.#lists = [files, directories, symlinks].map((nodes) => {
      const list = { names: nodes.map(({ name }) => name), ends: ends.slice(start, start + nodes.length) };
      start += nodes.length;
      return list;
    });
  }

  /**
   * @param entries sorted by the bytes of their names
   * @param own the directory's own properties, encoded
   * @returns the blob with these in place of what had the same names before
   */
  replace(entries: readonly SplicedEntry[], own: Buffer): Buffer {
    const parts: Buffer[] = [];
    let length = 0;
    let oldEnd = 0;
    for (const [number, list] of this.#lists.entries()) {
      const { names, ends } = list;
      const newNames: string[] = [];
      const newEnds: number[] = [];
      let done = 0;
      const keepUntil = (index: number) => {
        if (index === done) return;
        const end = ends[index - 1]!;
        const shift = length - oldEnd;
        for (let i = done; i < index; i++) {
          newNames.push(names[i]!);
          newEnds.push(ends[i]! + shift);
        }
        parts.push(this.#bytes.subarray(oldEnd, end));
        length += end - oldEnd;
        oldEnd = end;
        done = index;
      };
      for (const entry of entries) {
        const index = lowerBound(names, entry.name);
        const isThere = names[index] === entry.name;
        if (!isThere && entry.list !== number) continue;
        keepUntil(index);
        if (isThere) {
          oldEnd = ends[index]!;
          done = index + 1;
        }
        if (entry.list !== number) continue;
        parts.push(entry.bytes);
        length += entry.bytes.length;
        newNames.push(entry.name);
        newEnds.push(length);
      }
      keepUntil(names.length);
      list.names = newNames;
      list.ends = newEnds;
    }
    parts.push(own);
    this.#bytes = Buffer.concat(parts);
    return this.#bytes;
  }
}

/** The first index whose name is not before `name`. */
function lowerBound(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytes(names[middle]!, name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where each top-level field ends. All fields of a Directory are messages: a key of one byte, a length, the content. */
function fieldEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    let length = 0;
    let shift = 0;
    at += 1;
    for (let more = true; more; at++, shift += 7) {
      length += (bytes[at]! & 0x7f) * 2 ** shift;
      more = bytes[at]! >= 0x80;
    }
    at += length;
    ends.push(at);
  }
  return ends;
}
