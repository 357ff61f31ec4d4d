import { basename, extname, resolve } from 'node:path';
import { type CompilerCall, parseCompilerCall } from './compiler-call.ts';
import { simpleCommands } from './shell-words.ts';

/** One entry of a compilation database. Source: "JSON Compilation Database Format Specification" of Clang. */
export interface CompileCommand {
  /** Absolute. */
  directory: string;
  /** Absolute. */
  file: string;
  /** Begins with the compiler itself, as the specification wants it: without ccache and its like. */
  arguments: string[];
  /** As the command spells it, or would have: relative to the directory. */
  output?: string;
}

/** Most lines name no compiler anywhere: spare them the parsing. */
export function mayCompile(line: string): boolean {
  return /cc|\+\+|clang|c[89]9|ic[px]/.test(line);
}

/**
 * The compiles that a line of shell would run, as far as its text tells: nothing is evaluated but `cd`, and the test by
 * which automake finds a source. Only of sources that exist.
 *
 * @param exists tells of an absolute path
 */
export function compileCommands(
  line: string,
  { cwd, exists }: { cwd: string; exists: (path: string) => boolean },
): CompileCommand[] {
  let directory = cwd;
  return simpleCommands(findSources(line, { cwd, exists })).flatMap(({ name, args }) => {
    if (name === 'cd' && args.length === 1) directory = resolve(directory, args[0]!);
    const call = parseCompilerCall([name, ...args]);
    if (!call) return [];
    return call.sources.flatMap((source) => {
      // A `cd` in a subshell ends with it, which the flat list of commands does not show.
      const found = [directory, cwd].find((dir) => exists(resolve(dir, source)));
      return found === undefined ? [] : [entryOf(call, { directory: found, source })];
    });
  });
}

function entryOf(
  call: CompilerCall,
  { directory, source }: { directory: string; source: string },
): CompileCommand {
  const output = call.output ?? defaultOutput(call, source);
  return {
    directory,
    file: resolve(directory, source),
    arguments: call.words.filter((word) => word === source || !call.sources.includes(word)),
    ...(output !== undefined && !output.includes('$') && { output }),
  };
}

/** Source: gcc(1), "-o". */
function defaultOutput({ makes }: CompilerCall, source: string): string | undefined {
  if (makes === 'nothing') return undefined;
  if (makes === 'program') return 'a.out';
  return basename(source, extname(source)) + (makes === 'object' ? '.o' : '.s');
}

/** Automake looks for a source in the build folder first: `` `test -f 'x.c' || echo '../src/'`x.c ``. */
function findSources(
  line: string,
  { cwd, exists }: { cwd: string; exists: (path: string) => boolean },
): string {
  return line.replaceAll(/`test -f '([^'`]*)' \|\| echo '([^'`]*)'`/g, (_, file: string, dir: string) =>
    exists(resolve(cwd, file)) ? '' : `'${dir}'`,
  );
}
