import { join, parse, relative, resolve } from 'node:path';
import type { Question } from './fingerprint.ts';
import { simpleCommands } from './shell-words.ts';

const compiler = /^(?:.*\/)?(?:[\w.]+-)*(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+|c99|gfortran)(?:-[\d.]+)?$/;
const notCompiling = /^(?:-E|-M|-MM|-fsyntax-only|-###|--version|@.*)$/;

/**
 * The files that a command overwrites without looking, and the mode that a new one gets: it does not matter then whether
 * an ordinary file with that mode stands there already. Only where the whole line is one simple command, since another
 * might look: what a compiler is told to write by `-o`, and what the shell is told to write to by `>`, which it truncates
 * before the command begins. In all other cases what stands there counts, as of any file.
 *
 * @returns path in the project → mode
 */
export function overwrittenOutputs({ argv, cwd, projectRoot, umask }: Question): ReadonlyMap<string, number> {
  const line = argv.length === 3 && argv[1] === '-c' ? argv[2]! : undefined;
  const found = [
    ...compilerOutputs(line === undefined ? argv : wordsOf(line)),
    ...(line === undefined ? [] : redirections(line)),
  ];
  const outputs = new Map<string, number>();
  for (const { file, mode } of found) {
    const path = relative(projectRoot, resolve(cwd, file));
    if (path !== '' && !path.startsWith('..')) outputs.set(path, mode & ~umask);
  }
  return outputs;
}

interface Output {
  file: string;
  mode: number;
}

function compilerOutputs(words: readonly string[]): Output[] {
  if (!compiler.test(words[0] ?? '') || words.some((word) => notCompiling.test(word))) return [];
  const file = wordAfter(words, '-o');
  if (file === undefined) return [];
  const isObject = words.includes('-c') || words.includes('-S');
  const output = { file, mode: isObject ? 0o666 : 0o777 };
  const hasDependencies = words.some((word) => word === '-MD' || word === '-MMD');
  if (!hasDependencies || !isObject) return [output];
  // Source: gcc(1), "-MD": the name of the output with the suffix .d instead of its own, unless -MF names another.
  const { dir, name } = parse(file);
  return [output, { file: wordAfter(words, '-MF') ?? join(dir, `${name}.d`), mode: 0o666 }];
}

/**
 * The target of `COMMAND > FILE`, if the line is that. An unquoted word ends it, so what is before is quoted completely.
 * Substitutions may run commands before the file is opened.
 */
function redirections(line: string): Output[] {
  const [, file] = /^[^|&;<>`#\n]*[^|&;<>`#\n\d\\]>[ \t]*([\w.+/-]+)[ \t]*$/.exec(line) ?? [];
  return file === undefined || line.includes('$(') ? [] : [{ file, mode: 0o666 }];
}

function wordAfter(words: readonly string[], option: string): string | undefined {
  const at = words.lastIndexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

/** Of a line that is one simple command without expansions, redirections or quotes; else none. */
function wordsOf(line: string): string[] {
  if (/[|&;<>()$`"'*?[\]{}~#!\n\\]/.test(line)) return [];
  const [command, ...more] = simpleCommands(line);
  return command && more.length === 0 ? [command.name, ...command.args] : [];
}
