/** What a job makes up may be as long as it likes. */
const maxSaidLength = 1000;
const maxPrintedLength = 20_000;
const maxLines = 20;

/**
 * Text of jobs, files and peers as one line for a terminal: what could move its cursor, turn its text around or end the line is
 * spelt out (`\x1b`, `\u202e`, `\n`), and so are bytes that are no UTF-8; the middle of what is too long is left out.
 */
export function showLine(text: string, maxLength = maxSaidLength): string {
  const head = Math.floor((maxLength * 2) / 3);
  const cut = text.length <= maxLength ? text : `${text.slice(0, head)} … ${text.slice(head - maxLength)}`;
  return cut.replaceAll(unprintable, spellOut);
}

/**
 * Says something on stderr: `termite: message`. What comes behind the first line of a message is indented, so that no part of it
 * looks like a message of its own.
 */
export function say(message: string, { program = 'termite', onWritten }: SayOptions = {}): void {
  const [first = '', ...more] = message.split('\n', maxLines);
  const lines = [`${program}: ${showLine(first)}`, ...more.map((line) => `  ${showLine(line.trim())}`)];
  process.stderr.write(`${lines.join('\n')}\n`, onWritten);
}

interface SayOptions {
  program?: string;
  onWritten?: () => void;
}

/** Prints what the user has asked for on stdout, one line each. */
export function printLines(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${showLine(line, maxPrintedLength)}\n`).join(''));
}

/** Control characters, those that change the direction of text, separators of lines, and bytes as `decodeBytes` spells them. */
const unprintable = /[\p{Cc}\p{Surrogate}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

function spellOut(character: string): string {
  const code = character.charCodeAt(0);
  const byte = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code;
  const hex = byte.toString(16);
  return named[character] ?? (byte < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`);
}
