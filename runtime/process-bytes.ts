import { readFileSync } from 'node:fs';
import { decodeBytes } from './byte-path.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The arguments of this process as they were given, see byte-path.ts.
 *
 * @param known `process.argv` without node and script, which shows them as text
 */
export function exactArguments(known: readonly string[]): string[] {
  if (!mayHideBytes(known)) return [...known];
  const strings = stringsOf('/proc/self/cmdline');
  return strings.slice(strings.length - known.length);
}

/** The environment of this process as it was given. @param known `process.env`, which shows it as text */
export function exactEnvironment(known: Environment): Environment {
  const isText = !mayHideBytes(Object.keys(known)) && !mayHideBytes(Object.values(known));
  return isText ? { ...known } : givenEnvironment();
}

/** That of this process, which its children inherit. */
export function inheritedEnvironment(): Environment {
  return exactEnvironment(process.env);
}

/** Of a name that is there twice the first counts, as everywhere. */
function givenEnvironment(): Environment {
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
