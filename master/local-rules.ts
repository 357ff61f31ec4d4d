import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { AppError } from '../runtime/app-error.ts';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { nearest } from '../runtime/nearest.ts';
import { type LocalRule, localRule, ruleEntrySchema } from './local-rule.ts';
import { JsonSyntaxError, type LocatedJson, parseLocatedJson } from './located-json.ts';

export interface LocalRuleSet {
  rules: readonly LocalRule[];
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
  const parsed = z.array(ruleEntrySchema).safeParse(json.value);
  if (!parsed.success) {
    // Whoever mistypes a key is also told that the right one is missing, which says less.
    const { issues } = parsed.error;
    const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const place = unknown === undefined ? issue.path : [...issue.path, unknown];
    const key = place.length > 1 ? `"${spellKey(place.slice(1))}": ` : '';
    throw problem(
      path,
      json.lineOf(place),
      key + (unknown === undefined ? issue.message : unknownKey(unknown)),
    );
  }
  const rules = parsed.data.map((entry, index) => {
    try {
      return localRule(entry, json.lineOf([index]));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw problem(path, json.lineOf([index, 'Regexp']), `"Regexp": ${error.message}`);
    }
  });
  const hasDebug = parsed.data.some((entry) => entry.Debug);
  return { rules, notices: hasDebug ? [`"Debug" has no effect any more: ${path}`] : [] };
}

/** The rules of one project: read again whenever their file has changed. */
export class LocalRules {
  readonly path: string;
  #signature: string | undefined;
  #current: LocalRuleSet = { rules: [], notices: [] };

  constructor(projectRoot: string) {
    this.path = `${projectRoot}/${localRulesName}`;
  }

  /** The rules as they are now; none when there is no file. @throws AppError as `parseLocalRules` */
  current(): LocalRuleSet {
    const signature = signatureOf(this.path);
    if (signature === this.#signature) return this.#current;
    const none = { rules: [], notices: [] };
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
  const meant = nearest(key, Object.keys(ruleEntrySchema.shape));
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
