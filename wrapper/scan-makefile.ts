/** What a makefile says, in one of its lines, that decides on the shells of its commands. */
export type ShellStatement = Statement & { line: number; text: string };

type Statement =
  | { kind: 'assignment'; assignment: ShellAssignment }
  | { kind: 'include'; names: string[]; isConditional: boolean }
  /** `$(shell …)` and `!=`, which need a shell while make reads. */
  | { kind: 'use' }
  /** `.ONESHELL`, for which make wants to know the shell by its name. */
  | { kind: 'one-shell' };

export interface ShellAssignment {
  /** For what it holds; `part`: for some targets, or where a text is evaluated. */
  scope: 'all' | 'conditional' | 'part';
  /** The literal absolute path that it consists of; undefined: only make can work out what is meant. */
  path?: string;
  /** The program that it names, as far as that is literal. */
  program?: string;
}

/** The logical lines, with the number of their first physical one. */
function* logicalLines(makefile: string): Generator<{ line: number; text: string }> {
  const lines = makefile.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    const parts: string[] = [];
    let part = lines[at]!;
    for (; part.endsWith('\\') && at + 1 < lines.length; part = lines[++at]!.trimStart())
      parts.push(part.slice(0, -1));
    yield { line, text: [...parts, part].join(' ') };
  }
}

/** Without any of these there is nothing for us in a makefile, as in the many files of dependencies that compilers write. */
const relevant = /SHELL|include|[({]shell\s|!=/;

const directive = /^\s*(?:(?:override|export)\s+)*(?<word>ifn?eq|ifn?def|else|endif|define|endef)\b/;
const rule = /^[^=]*?:(?!:*=)/;
const assignment =
  /^(?<targets>[^#;]*:)?\s*(?<words>(?:(?:export|override|private|unexport)\s+)*)SHELL\s*(?<operator>:{0,3}=|[?+!]=)(?<value>.*)$/;
const textAssignment = /^\s*(?:(?:export|override)\s+)*(?:un)?define\s+SHELL(?![\w.-])/;
/** SHELL is meant to be set; `$(SHELL)` is not. */
const evaluation = /(?<!\$)\$[({]eval\s.*(?<![\w.-]|\$[({])SHELL(?![\w-])/;
const use = /(?<!\$)\$[({]shell\s|^\s*[^\s:#=!]+\s*!=/;

/** Reads the text of one makefile, without what it includes. Pure; what a makefile only computes is not seen. */
export function scanMakefile(makefile: string): ShellStatement[] {
  const statements: ShellStatement[] = [];
  if (!relevant.test(makefile)) return statements;
  let conditionCount = 0;
  let defineCount = 0;
  let isBelowRule = false;
  for (const { line, text } of logicalLines(makefile)) {
    const add = (statement: Statement) => statements.push({ ...statement, line, text: text.trim() });
    const addComputed = () => add({ kind: 'assignment', assignment: { scope: 'part' } });
    if (evaluation.test(text)) addComputed();
    // Elsewhere than below a rule, a tab is a blank.
    if ((text.startsWith('\t') && isBelowRule) || /^\s*(?:#|$)/.test(text)) continue;

    const word = directive.exec(text)?.groups?.['word'];
    if (word?.startsWith('if')) conditionCount += 1;
    else if (word === 'endif') conditionCount -= 1;
    else if (word === 'define') defineCount += 1;
    else if (word === 'endef') defineCount -= 1;
    if (textAssignment.test(text)) addComputed();
    if (use.test(text)) add({ kind: 'use' });
    if (word !== undefined) continue;

    isBelowRule = rule.test(text);
    const included = /^\s*[s-]?include\s+(?<names>[^#]*)/.exec(text)?.groups?.['names'];
    if (included !== undefined) {
      const names = included.split(/\s+/).filter((name) => /^[\w./+-]+$/.test(name));
      add({ kind: 'include', names, isConditional: conditionCount > 0 });
    }
    if (/^\s*\.ONESHELL\s*:/.test(text)) add({ kind: 'one-shell' });
    const set = text.includes('SHELL') ? assignment.exec(text)?.groups : undefined;
    // SHELL always has a value.
    if (!set || set['operator'] === '?=') continue;
    const scope =
      set['targets'] !== undefined || defineCount > 0 ? 'part' : conditionCount > 0 ? 'conditional' : 'all';
    add({ kind: 'assignment', assignment: { scope, ...readValue(set) } });
  }
  return statements;
}

function readValue({ words, operator, value }: Record<string, string>): Omit<ShellAssignment, 'scope'> {
  const plain = value!.replace(/(?<!\\)#.*$/, '').trim();
  const program = /^[:=]/.test(operator!) ? /^[\w./+-]+(?=\s|$)/.exec(plain)?.[0] : undefined;
  // The one wins over make's command line, the other is not for commands.
  const isSpecial = /override|private/.test(words!);
  const isPath = program !== undefined && program === plain && program.startsWith('/') && !isSpecial;
  return { ...(isPath ? { path: program } : {}), ...(program === undefined ? {} : { program }) };
}
