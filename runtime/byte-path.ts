import { isUtf8 } from 'node:buffer';
import { readlinkSync } from 'node:fs';

/**
 * Paths and other operating-system strings are bytes, not text. In this program they are JavaScript strings that hold
 * UTF-8 as usual and each byte that is not valid UTF-8 as a lone surrogate U+DC80…U+DCFF, so that every path survives
 * a round trip (also through JSON, which escapes lone surrogates). Source: PEP 383, "surrogateescape".
 */
export function decodeBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let start = 0; start < buffer.length; ) {
    const length = validSequenceLength(buffer, start);
    text +=
      length > 0
        ? buffer.toString('utf8', start, start + length)
        : String.fromCharCode(0xdc00 + buffer[start]!);
    start += Math.max(1, length);
  }
  return text;
}

/** The inverse of `decodeBytes`. */
export function encodeBytes(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isEscape = code >= 0xdc80 && code <= 0xdcff;
    parts.push(isEscape ? Buffer.from([code - 0xdc00]) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

/** What to hand to `node:fs` for a path in our spelling: the string itself wherever that is exact. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeBytes(path);
}

/** Where this process works, absolute; `process.cwd()` knows only text. @throws a system error when that is gone */
export function currentDir(): string {
  const dir = process.cwd();
  return dir.includes('\ufffd') ? decodeBytes(readlinkSync('/proc/self/cwd', { encoding: 'buffer' })) : dir;
}

/** Order of the bytes: the order of names in a Directory. Compare ASCII names (nearly all) without encoding them. */
export function compareBytes(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x >= 0x80 || y >= 0x80) return Buffer.compare(encodeBytes(a), encodeBytes(b));
    if (x !== y) return x - y;
  }
  return a.length - b.length;
}

function validSequenceLength(buffer: Buffer, start: number): number {
  for (let length = 1; length <= 4 && start + length <= buffer.length; length++) {
    if (isUtf8(buffer.subarray(start, start + length))) return length;
  }
  return 0;
}
