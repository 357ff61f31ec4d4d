import { readFileSync } from 'node:fs';
import { decodeBytes } from './byte-path.ts';

/**
 * The arguments of this process, without node and script, as they were given (see byte-path.ts): `process.argv` knows only
 * text.
 */
export function processArguments(): string[] {
  const known = process.argv.slice(2);
  if (!mayHideBytes(known)) return known;
  const strings = stringsOf('/proc/self/cmdline');
  return strings.slice(strings.length - known.length);
}

/** The environment of this process as it was given; of a name that is there twice the first, as everywhere. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  const known = process.env;
  const isText = !mayHideBytes(Object.keys(known)) && !mayHideBytes(Object.values(known));
  if (isText) return { ...known };
  const env: Record<string, string> = {};
  for (const entry of stringsOf('/proc/self/environ')) {
    const end = entry.indexOf('=', 1);
    const name = entry.slice(0, end);
    if (end > 0 && !Object.hasOwn(env, name)) env[name] = entry.slice(end + 1);
  }
  return env;
}

/** What is no UTF-8 is shown with replacement characters. */
function mayHideBytes(texts: readonly (string | undefined)[]): boolean {
  return texts.some((text) => text?.includes('\ufffd'));
}

/** @param path of a file in which each string ends with a NUL */
function stringsOf(path: string): string[] {
  return decodeBytes(readFileSync(path)).split('\0').slice(0, -1);
}
