/** A simple command of a shell line: the program's name and its arguments, unquoted as far as that needs no evaluation. */
export interface SimpleCommand {
  name: string;
  args: string[];
}

/** After these a command follows, as at the beginning of the line. Source: POSIX.1-2024, Shell Command Language, 2.4. */
const openers = new Set([
  'do',
  'then',
  'else',
  'elif',
  'if',
  'while',
  'until',
  '!',
  '{',
  '}',
  'fi',
  'done',
  'esac',
]);

/** Programs that run the program named by their first operand; true: one operand of their own comes before it. */
const prefixes = new Map([
  ['chdir', true],
  ['exec', false],
  ['command', false],
  ['env', false],
  ['nice', false],
  ['nohup', false],
  ['time', false],
  ['timeout', true],
]);
/** Their options that take the next word. */
const prefixOptions = new Map([
  ['exec', ['-a']],
  ['env', ['-u', '-C']],
  ['nice', ['-n']],
  ['timeout', ['-s', '-k']],
  ['time', ['-f', '-o']],
]);

/** Those of them that `cmake -E` can be. */
const cmakePrefixes = new Set(['chdir', 'env', 'time']);

const assignment = /^[A-Za-z_][A-Za-z0-9_]*\+?=/;

/**
 * The commands that a line would run, in order, as far as its text tells: those behind `&&`, `;`, `(`, `do` and so on,
 * in command substitutions, and behind `env`, `exec` and their like. For rules that look at programs by name: it
 * never evaluates anything, and for a line that no shell would take it returns what it made out.
 */
export function simpleCommands(line: string): SimpleCommand[] {
  return new Splitter(line).commands.flatMap((words) => commandOf(words) ?? []);
}

function commandOf(words: string[]): SimpleCommand | undefined {
  let rest = words;
  for (;;) {
    while (rest[0] !== undefined && (assignment.test(rest[0]) || openers.has(rest[0]))) rest = rest.slice(1);
    const [name, ...args] = rest;
    if (name === undefined) return undefined;
    if (/^(?:.*\/)?cmake3?$/.test(name) && args[0] === '-E' && cmakePrefixes.has(args[1] ?? '')) {
      rest = args.slice(1);
      continue;
    }
    const hasOperand = prefixes.get(name.slice(name.lastIndexOf('/') + 1));
    if (hasOperand === undefined) return { name, args };
    const program = skipOptions(name, args, hasOperand);
    if (program.length === 0) return { name, args };
    rest = program;
  }
}

function skipOptions(name: string, args: string[], hasOperand: boolean): string[] {
  const withValue = prefixOptions.get(name.slice(name.lastIndexOf('/') + 1)) ?? [];
  let i = 0;
  while (args[i]?.startsWith('-')) i += withValue.includes(args[i]!) ? 2 : 1;
  return args.slice(hasOperand ? i + 1 : i);
}

/** Whether a line starts commands with `&` and nowhere waits for any. */
export function leavesRunning(line: string): boolean {
  const { commands, hasBackground } = new Splitter(line);
  return hasBackground && !commands.some(([name]) => name === 'wait');
}

/** Cuts a line into the words of each command. */
class Splitter {
  readonly commands: string[][] = [];
  /** One of them is followed by a single `&`. */
  hasBackground = false;
  readonly #line: string;
  #at = 0;

  constructor(line: string) {
    this.#line = line;
    // An unmatched ")" ends a list early: go on behind it.
    while (this.#at < line.length) {
      this.#list('');
      this.#at += 1;
    }
  }

  /** Reads commands up to `end`, which is `)`, a backquote, or nothing for the end of the line. */
  #list(end: string): void {
    let words: string[] = [];
    let word: string | undefined;
    let heredocs: string[] = [];
    let isPattern = false;
    const endWord = () => {
      if (word !== undefined && !isPattern) words.push(word);
      if (isPattern && word === 'esac') isPattern = false;
      word = undefined;
      if (words[0] === 'case' && words.length > 2 && words.at(-1) === 'in') {
        words = [];
        isPattern = true;
      }
    };
    const endCommand = () => {
      endWord();
      if (words.length > 0) this.commands.push(words);
      words = [];
    };

    for (; this.#at < this.#line.length; this.#at++) {
      const c = this.#line[this.#at]!;
      const next = this.#line[this.#at + 1];
      if (c === end) break;
      if (c === '\\') {
        this.#at += 1;
        if (next !== '\n') word = (word ?? '') + (next ?? '');
      } else if (c === "'") {
        word = (word ?? '') + this.#until("'");
      } else if (c === '"') {
        word = (word ?? '') + this.#doubleQuoted();
      } else if (c === '$' && next === '(') {
        word = (word ?? '') + this.#substitution(2, ')');
      } else if (c === '`') {
        word = (word ?? '') + this.#substitution(1, '`');
      } else if (c === '$' && next === '{') {
        const close = this.#line.indexOf('}', this.#at);
        word = (word ?? '') + this.#line.slice(this.#at, close < 0 ? undefined : close + 1);
        this.#at = close < 0 ? this.#line.length : close;
      } else if (c === '#' && word === undefined) {
        const newline = this.#line.indexOf('\n', this.#at);
        this.#at = (newline < 0 ? this.#line.length : newline) - 1;
      } else if (c === '\n') {
        endCommand();
        for (const delimiter of heredocs) this.#skipHeredoc(delimiter);
        heredocs = [];
      } else if (c === ';' || c === '&' || c === '|') {
        endCommand();
        if (c === ';' && next === ';') isPattern = true;
        if (c === '&' && !/[&|]/.test(this.#line[this.#at - 1] ?? '') && !/[&>]/.test(next ?? ''))
          this.hasBackground = true;
      } else if (c === ')') {
        if (!isPattern) break;
        endWord();
        isPattern = false;
      } else if (c === '(') {
        if (isPattern) continue;
        endCommand();
        this.#at += 1;
        this.#list(')');
      } else if (c === '<' || c === '>') {
        // The number before it and the file behind it are no words of the command.
        if (word !== undefined && !/^\d+$/.test(word)) endWord();
        word = undefined;
        const delimiter = this.#redirection();
        if (delimiter !== undefined) heredocs.push(delimiter);
      } else if (c === ' ' || c === '\t') {
        endWord();
      } else {
        word = (word ?? '') + c;
      }
    }
    endCommand();
  }

  /** The text up to the closing quote, which becomes the current character. */
  #until(quote: string): string {
    const start = this.#at + 1;
    const close = this.#line.indexOf(quote, start);
    this.#at = close < 0 ? this.#line.length : close;
    return this.#line.slice(start, this.#at);
  }

  #doubleQuoted(): string {
    let text = '';
    for (this.#at += 1; this.#at < this.#line.length && this.#line[this.#at] !== '"'; this.#at++) {
      const c = this.#line[this.#at]!;
      if (c === '\\') text += this.#line[++this.#at] ?? '';
      else if (c === '`') text += this.#substitution(1, '`');
      else if (c === '$' && this.#line[this.#at + 1] === '(') text += this.#substitution(2, ')');
      else text += c;
    }
    return text;
  }

  /** Commands inside a substitution are commands too; its value is unknown, so a word of its own stands for it. */
  #substitution(openerLength: number, end: string): string {
    this.#at += openerLength;
    this.#list(end);
    return '$()';
  }

  /** Skips `>file`, `2>&1` and their like; the delimiter when it was a here-document. */
  #redirection(): string | undefined {
    const rest =
      /^(?<operator><<-?|<>|>>|>\||[<>]&|[<>])[ \t]*(?<word>(?:\\.|'[^']*'|"[^"]*"|[^\s;&|()<>'"\\])*)/s.exec(
        this.#line.slice(this.#at),
      );
    if (!rest) return undefined;
    this.#at += rest[0].length - 1;
    const { operator = '', word = '' } = rest.groups ?? {};
    return operator.startsWith('<<') ? word.replaceAll(/['"\\]/g, '') : undefined;
  }

  /** Called at a newline: leaves the last character of the document's end as the current one. */
  #skipHeredoc(delimiter: string): void {
    for (let start = this.#at + 1; start <= this.#line.length; ) {
      const newline = this.#line.indexOf('\n', start);
      const stop = newline < 0 ? this.#line.length : newline;
      const isLast = this.#line.slice(start, stop).replace(/^\t+/, '') === delimiter;
      this.#at = stop;
      if (isLast || newline < 0) return;
      start = stop + 1;
    }
  }
}
