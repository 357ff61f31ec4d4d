/** A JSON value together with the lines that its parts begin in, the first line being 1. */
export interface LocatedJson {
  value: unknown;
  /** The line of the key or item at a path like `[0, 'Regexp']`; where it is not there, of what it would be in. */
  lineOf(path: readonly PropertyKey[]): number;
}

export class JsonSyntaxError extends SyntaxError {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/**
 * Parses JSON (RFC 8259) as JSON.parse does, and tells where things are, which JSON.parse does not even of errors.
 *
 * @throws JsonSyntaxError also for a key that is given twice in one object
 */
export function parseLocatedJson(text: string): LocatedJson {
  const parser = new Parser(text);
  const value = parser.document();
  const lineOf = (path: readonly PropertyKey[]): number =>
    parser.lines.get(keyOf(path)) ?? (path.length > 0 ? lineOf(path.slice(0, -1)) : 1);
  return { value, lineOf };
}

/** Of lists and objects in each other. */
const maxDepth = 64;
const keyOf = (path: readonly PropertyKey[]) => path.map(String).join('\0');
const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON strings must not hold
const string = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
/** A string up to a backslash that JSON has no use for. */
const badEscape =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
  /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*(?<escape>\\[^"\\/bfnrt\x00-\x1f])/y;

class Parser {
  readonly lines = new Map<string, number>();
  readonly #text: string;
  #at = 0;
  /** The line breaks before some place, which is looked for from there on: places are asked for in their order. */
  #counted = { at: 0, breaks: 0 };

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    const value = this.#value([]);
    if (this.#peek() !== '') this.#fail('expected nothing more');
    return value;
  }

  #value(path: PropertyKey[]): unknown {
    const first = this.#peek();
    if (path.length > maxDepth) this.#fail(`expected at most ${maxDepth} levels`);
    if (!this.lines.has(keyOf(path))) this.lines.set(keyOf(path), this.#line());
    if (first === '[') return this.#array(path);
    if (first === '{') return this.#object(path);
    return JSON.parse(this.#match(first === '"' ? string : scalar, 'expected a value'));
  }

  #array(path: PropertyKey[]): unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    if (this.#skip(']')) return items;
    for (;;) {
      items.push(this.#value([...path, items.length]));
      if (this.#skip(']')) return items;
      if (!this.#skip(',')) this.#fail('expected "," or "]"');
    }
  }

  #object(path: PropertyKey[]): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    this.#at += 1;
    if (this.#skip('}')) return {};
    for (;;) {
      this.#peek();
      const line = this.#line();
      const key: string = JSON.parse(this.#match(string, 'expected a key in double quotes'));
      if (entries.has(key)) throw new JsonSyntaxError(`"${key}" is given twice`, line);
      this.lines.set(keyOf([...path, key]), line);
      if (!this.#skip(':')) this.#fail('expected ":"');
      entries.set(key, this.#value([...path, key]));
      if (this.#skip('}')) return Object.fromEntries(entries);
      if (!this.#skip(',')) this.#fail('expected "," or "}"');
    }
  }

  /** The next character that is no white space; empty at the end. */
  #peek(): string {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    return this.#text[this.#at] ?? '';
  }

  #skip(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp, complaint: string): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    if (match === undefined) {
      this.#refuseEscape();
      return this.#fail(complaint);
    }
    this.#at += match.length;
    return match;
  }

  /** In regular expressions backslashes are meant for these, and have to be doubled. */
  #refuseEscape(): void {
    badEscape.lastIndex = this.#at;
    const refused = badEscape.exec(this.#text)?.groups?.['escape'];
    if (refused !== undefined)
      throw new JsonSyntaxError(
        `"${refused}" is no escape in JSON: write "\\${refused}" for it`,
        this.#line(),
      );
  }

  #line(): number {
    let { at, breaks } = this.#counted;
    for (; at < this.#at; at++) if (this.#text[at] === '\n') breaks += 1;
    this.#counted = { at, breaks };
    return breaks + 1;
  }

  #fail(complaint: string): never {
    const found = this.#peek();
    const got = found === '' ? 'the end of the file' : JSON.stringify(found);
    throw new JsonSyntaxError(`${complaint}: got ${got}`, this.#line());
  }
}
