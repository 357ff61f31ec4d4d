import { join, parse, relative } from 'node:path';
import type { Question } from './fingerprint.ts';
import { simpleCommands } from './shell-words.ts';

const compiler = /^(?:.*\/)?(?:[\w.]+-)*(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+|c99|gfortran)(?:-[\d.]+)?$/;
const notCompiling = /^(?:-E|-M|-MM|-fsyntax-only|-###|--version|@.*)$/;

/**
 * The files that a compiler named by `-o` writes, and the mode it gives to a new one: it overwrites what stands there
 * without looking, so that it does not matter whether an ordinary file with that mode stands there already. Only where
 * the whole line is one compiler call; in all other cases what stands there counts, as of any file.
 *
 * @returns path in the project → mode
 */
export function overwrittenOutputs({ argv, cwd, projectRoot, umask }: Question): ReadonlyMap<string, number> {
  const words = argv.at(-2) === '-c' && argv.length === 3 ? wordsOf(argv[2]!) : argv;
  const outputs = new Map<string, number>();
  if (!compiler.test(words[0] ?? '') || words.some((word) => notCompiling.test(word))) return outputs;
  const at = words.lastIndexOf('-o');
  const output = at < 0 ? undefined : words[at + 1];
  if (output === undefined) return outputs;
  const isObject = words.includes('-c') || words.includes('-S');
  const add = (file: string, mode: number) => {
    const path = relative(projectRoot, join(cwd, file));
    if (path !== '' && !path.startsWith('..')) outputs.set(path, mode & ~umask);
  };
  add(output, isObject ? 0o666 : 0o777);
  // Source: gcc(1), "-MD": the name of the output with the suffix .d instead of its own, unless -MF names another.
  const hasDependencies = words.some((word) => word === '-MD' || word === '-MMD');
  if (hasDependencies && isObject) {
    const { dir, name } = parse(output);
    add(words.includes('-MF') ? (words[words.lastIndexOf('-MF') + 1] ?? output) : join(dir, `${name}.d`), 0o666);
  }
  return outputs;
}

/** Of a line that is one simple command without expansions, redirections or quotes; else none. */
function wordsOf(line: string): string[] {
  if (/[|&;<>()$`"'*?[\]{}~#!\n\\]/.test(line)) return [];
  const [command, ...more] = simpleCommands(line);
  return command && more.length === 0 ? [command.name, ...command.args] : [];
}
