import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { AppError } from '../runtime/app-error.ts';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { nearest } from '../runtime/nearest.ts';
import { type LocalRule, localRule, privateEntrySchema, ruleEntrySchema } from './local-rule.ts';
import { JsonSyntaxError, type LocatedJson, parseLocatedJson } from './located-json.ts';

export interface LocalRuleSet {
  rules: readonly LocalRule[];
  /** Places outside the project that no command in a sandbox is shown, absolute or beginning with "~/". */
  privatePlaces: readonly string[];
  /** What the user should know about the file, although it is right. */
  notices: readonly string[];
}

export const localRulesName = '.termite-localrc';

/**
 * The rules in `.termite-localrc`, a JSON list in the format of Termite 1: lines that are empty or begin with `#` or
 * `//` are skipped. `SkipRefresh` has nothing to skip here, since only what changed is ever read again.
 *
 * @param path for messages
 * @throws AppError `bad-configuration` naming file, line and key
 */
export function parseLocalRules(text: string, path: string): LocalRuleSet {
  // Skipped lines stay as empty ones, so that line numbers are those of the file.
  const kept = text.split('\n').map((line) => (/^(?:#|\/\/)/.test(line) ? '' : line));
  const json = parse(kept.join('\n'), path);
  const entries = z.array(z.unknown()).safeParse(json.value);
  if (!entries.success) throw wrongEntry(path, json, [], entries.error);
  const set = { rules: [] as LocalRule[], privatePlaces: [] as string[], notices: [] as string[] };
  for (const [index, entry] of entries.data.entries()) {
    if (isPrivateEntry(entry)) {
      const { success, data, error } = privateEntrySchema.safeParse(entry);
      if (!success) throw wrongEntry(path, json, [index], error);
      set.privatePlaces.push(...data.Private);
      continue;
    }
    const { success, data, error } = ruleEntrySchema.safeParse(entry);
    if (!success) throw wrongEntry(path, json, [index], error);
    try {
      set.rules.push(localRule(data, json.lineOf([index])));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw problem(path, json.lineOf([index, 'Regexp']), `"Regexp": ${error.message}`);
    }
    if (data.Debug) set.notices = [`"Debug" has no effect any more: ${path}`];
  }
  return set;
}

function isPrivateEntry(entry: unknown): boolean {
  return typeof entry === 'object' && entry !== null && 'Private' in entry;
}

function wrongEntry(path: string, json: LocatedJson, at: PropertyKey[], { issues }: z.ZodError): AppError {
  // Whoever mistypes a key is also told that the right one is missing, which says less.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const place = [...at, ...issue.path, ...(unknown === undefined ? [] : [unknown])];
  const key = place.length > 1 ? `"${spellKey(place.slice(1))}": ` : '';
  return problem(
    path,
    json.lineOf(place),
    key + (unknown === undefined ? issue.message : unknownKey(unknown)),
  );
}

const none: LocalRuleSet = { rules: [], privatePlaces: [], notices: [] };

/** The rules of one project: read again whenever their file has changed. */
export class LocalRules {
  readonly path: string;
  #signature: string | undefined;
  #current: LocalRuleSet = none;

  constructor(projectRoot: string) {
    this.path = `${projectRoot}/${localRulesName}`;
  }

  /** Those of the last rules that were right. */
  get privatePlaces(): readonly string[] {
    try {
      return this.current().privatePlaces;
    } catch {
      // Whoever asks where a command is to run is told.
      return this.#current.privatePlaces;
    }
  }

  /** The rules as they are now; none when there is no file. @throws AppError as `parseLocalRules` */
  current(): LocalRuleSet {
    const signature = signatureOf(this.path);
    if (signature === this.#signature) return this.#current;
    const next = signature === undefined ? none : parseLocalRules(readText(this.path), this.path);
    this.#current = next;
    // Only now: a file that is wrong stays wrong until it changes, and is complained about each time.
    this.#signature = signature;
    return next;
  }
}

function signatureOf(path: string): string | undefined {
  const stats = statSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
  return stats && [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
}

function readText(path: string): string {
  try {
    return decodeBytes(readFileSync(fsPath(path)));
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return '[]';
    throw new AppError(`Cannot read "${path}"`, { code: 'bad-configuration', category: 'caller', cause });
  }
}

function parse(text: string, path: string): LocatedJson {
  if (text.trim() === '') return { value: [], lineOf: () => 1 };
  try {
    return parseLocatedJson(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw problem(path, error.line, error.message);
    throw error;
  }
}

function unknownKey(key: string): string {
  const meant = nearest(key, [...Object.keys(ruleEntrySchema.shape), 'Private']);
  return meant === undefined ? 'Unknown key' : `Unknown key: did you mean "${meant}"?`;
}

/** `Env.Unset[0]` */
function spellKey(place: readonly PropertyKey[]): string {
  return place
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
}

function problem(path: string, line: number, message: string): AppError {
  return new AppError(`Cannot use "${path}", line ${line}: ${message}`, {
    code: 'bad-configuration',
    category: 'caller',
    data: { path, line },
  });
}
