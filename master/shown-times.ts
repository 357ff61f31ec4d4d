import type { Manifest } from '../protocol/job.ts';

type Read = (digest: Manifest['stdout'], maxBytes: number) => Promise<Uint8Array | undefined>;

/** Of each file so much is looked at: what keeps times does so at its beginning, or everywhere. */
const headBytes = 64 * 1024;
/** A string may be anywhere in an object file. */
const compiledBytes = 1024 * 1024;
/** So many dates are compared with the times. */
const maxDates = 100;
/** So many files at most. */
const maxFiles = 64;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Whether something that a command printed or left holds the time of a file that it found, in one of the ways in which
 * programs write times: as a number of seconds in decimal, octal (tar), hexadecimal (cpio), or four bytes of either order (gzip,
 * Python, git), or as a date (ls, stat, diff, `__TIMESTAMP__`). What it takes for one by mistake costs hits after `touch`,
 * nothing else. Archives that hide their times are known by their beginning.
 *
 * @param timesNs of the files
 * @param read the beginning of a blob; undefined when it is not at hand
 * @param isCompiled all of it comes from compilers and the like: then only dates, and what is precompiled, are looked for
 */
export async function showsTime(
  { stdout, stderr, changes }: Pick<Manifest, 'stdout' | 'stderr' | 'changes'>,
  { timesNs, read, isCompiled }: { timesNs: ReadonlySet<bigint>; read: Read; isCompiled: boolean },
): Promise<boolean> {
  if (timesNs.size === 0) return false;
  const times = new Times(timesNs);
  const left = changes.flatMap(({ node }) => (node?.type === 'file' ? [node.digest] : [])).slice(0, maxFiles);
  for (const digest of [stdout, stderr, ...left]) {
    if (digest.sizeBytes === 0) continue;
    const head = await read(digest, isCompiled ? compiledBytes : headBytes);
    if (head && holdsTime(head, times, isCompiled)) return true;
  }
  return false;
}

function holdsTime(bytes: Uint8Array, times: Times, isCompiled: boolean): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (text.startsWith('CPCH') || text.startsWith('PK\x03\x04')) return true;
  if (times.isDateIn(text)) return true;
  if (isCompiled) return isDatedArchive(text) && times.isNumberIn(text);
  return times.isNumberIn(text) || times.isWordIn(bytes);
}

/** Source: ar(5): the first member's time is 0 in one that is made to be the same each time. */
function isDatedArchive(text: string): boolean {
  return text.startsWith('!<arch>\n') && text.slice(24, 36).trim() !== '0';
}

/** The times of some files, in the forms in which they are looked for. */
class Times {
  readonly #seconds = new Set<number>();
  /** Upper halves of the seconds: spares nearly all positions the look into the set. */
  readonly #upperHalves = new Uint8Array(0x10000);

  constructor(timesNs: ReadonlySet<bigint>) {
    for (const timeNs of timesNs) {
      const seconds = Number(timeNs / 1_000_000_000n);
      // What is older than this was given a time that stands for none.
      if (seconds < 100_000_000 || seconds > 0xffffffff) continue;
      this.#seconds.add(seconds);
      this.#upperHalves[seconds >>> 16] = 1;
    }
  }

  isNumberIn(text: string): boolean {
    for (const [digits] of text.matchAll(/(?<!\d)\d{9,11}(?!\d)/g)) {
      if (this.#seconds.has(Number(digits))) return true;
      if (digits.length === 11 && this.#seconds.has(Number.parseInt(digits, 8))) return true;
    }
    for (const [digits] of text.matchAll(/[0-9a-fA-F]{8,}/g)) {
      // Fields of eight follow one another without anything between.
      for (let i = 0; i + 8 <= digits.length; i++) {
        if (this.#seconds.has(Number.parseInt(digits.slice(i, i + 8), 16))) return true;
      }
    }
    return false;
  }

  /** As four bytes, wherever they begin. */
  isWordIn(bytes: Uint8Array): boolean {
    for (let i = 0; i + 3 < bytes.length; i++) {
      const [a, b, c, d] = [bytes[i]!, bytes[i + 1]!, bytes[i + 2]!, bytes[i + 3]!];
      if (this.#upperHalves[(d << 8) | c] && this.#seconds.has(((d << 24) | (c << 16) | (b << 8) | a) >>> 0))
        return true;
      if (this.#upperHalves[(a << 8) | b] && this.#seconds.has(((a << 24) | (b << 16) | (c << 8) | d) >>> 0))
        return true;
    }
    return false;
  }

  /** In any time zone: those that matter differ by whole quarters of an hour. */
  isDateIn(text: string): boolean {
    let count = 0;
    for (const [, year, month, day, minute, second] of text.matchAll(
      /(\d{4})-(\d\d)-(\d\d)[ T]\d\d:(\d\d)(?::(\d\d))?/g,
    )) {
      if (++count > maxDates) return false;
      if (this.#isDate({ year: Number(year), month: Number(month), day: Number(day), minute, second }))
        return true;
    }
    for (const [, name = '', day, minute, second, year] of text.matchAll(
      /(?<![A-Za-z])([A-Z][a-z]{2}) +(\d\d?) +(?:\d\d:(\d\d)(?::(\d\d))?)?(?: *(?:[A-Z]{3,5} )?(\d{4}))?/g,
    )) {
      const month = months.indexOf(name) + 1;
      if (month === 0 || (minute === undefined && year === undefined)) continue;
      if (++count > maxDates) return false;
      const when = {
        year: year === undefined ? undefined : Number(year),
        month,
        day: Number(day),
        minute,
        second,
      };
      if (this.#isDate(when)) return true;
    }
    return false;
  }

  #isDate(shown: {
    year: number | undefined;
    month: number;
    day: number;
    minute: string | undefined;
    second: string | undefined;
  }): boolean {
    for (const seconds of this.#seconds) {
      const date = new Date(seconds * 1000);
      if (shown.second !== undefined && Number(shown.second) !== date.getUTCSeconds()) continue;
      if (shown.minute !== undefined && (Number(shown.minute) - date.getUTCMinutes()) % 15 !== 0) continue;
      const year = shown.year ?? date.getUTCFullYear();
      const days = (Date.UTC(year, shown.month - 1, shown.day) - seconds * 1000) / 86_400_000;
      if (days > -2 && days < 2) return true;
    }
    return false;
  }
}
