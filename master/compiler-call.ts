/** What a command line tells a compiler to do. */
export interface CompilerCall {
  /** The compiler and its arguments, less those about files of dependencies. */
  words: string[];
  /** As they are spelled; never empty. */
  sources: string[];
  /** As given by `-o`. */
  output?: string;
  /** What comes out of each source; for a program, out of all together. */
  makes: 'object' | 'assembly' | 'program' | 'nothing';
}

const compiler =
  /^(?:.*\/)?(?:[\w.+]+-)*(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+|c89|c99|icc|icpc|icx|icpx|tcc|nvcc)(?:-[\d.]+)?$/;
const launcher = /^(?:.*\/)?(?:ccache|sccache|buildcache|distcc|pump|icecc|gomacc|rewrapper|recc)$/;
const libtool = /^(?:.*\/)?[\w-]*libtool$/;
/** C and its relatives, preprocessed or not, and assembly. Source: gcc(1), "Options Controlling the Kind of Output". */
const source = /\.(?:c|i|ii|cc|cp|cxx|cpp|CPP|c\+\+|C|ixx|cppm|m|mi|mm|M|mii|cu|s|S|sx)$/;

/** Options that take the next word. Source: the option indices of gcc and Clang. */
const valued = new Set([
  ...['-o', '-x', '-I', '-D', '-U', '-L', '-l', '-T', '-u', '-z', '-e', '-A', '-G', '-arch', '-target'],
  ...['-include', '-imacros', '-isystem', '-iquote', '-idirafter', '-isysroot', '-iprefix', '-iwithprefix'],
  ...['-iwithprefixbefore', '-include-pch', '-Xpreprocessor', '-Xassembler', '-Xlinker', '-Xclang', '-mllvm'],
  ...['-MF', '-MT', '-MQ', '-aux-info', '-dumpbase', '-dumpdir', '-wrapper', '--param', '--sysroot'],
  ...['-framework', '-B', '-specs'],
]);
/** They say nothing about how a source is understood, and recipes spell their values with variables of the shell. */
const aboutDependencies = /^-M(?:D|MD|P|G|[FTQ].*)$|^-Wp,-MM?D,[^,]*$/;
const notCompiling = /^(?:-E|-M|-MM|-###|--version|-dumpversion|-dumpmachine|-print-.*)$/;

/**
 * Reads a command as a call of a compiler of the C family, behind ccache and its like or libtool as well.
 *
 * @param command words without quotes; `$()` stands for what is not known
 * @returns undefined when it is none, or compiles no file
 */
export function parseCompilerCall(command: readonly string[]): CompilerCall | undefined {
  const [name = '', ...args] = withoutLauncher(command);
  if (!compiler.test(name) || args.some((arg) => notCompiling.test(arg))) return undefined;
  const call: CompilerCall = { words: [name], sources: [], makes: 'program' };
  let isAnySource = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    const value = valued.has(word) ? args[++i] : undefined;
    if (aboutDependencies.test(word) || `${word}${value ?? ''}`.includes('$()')) continue;
    call.words.push(word, ...(value === undefined ? [] : [value]));
    if (word.startsWith('-o') && word !== '-objcmt-migrate') call.output = value ?? word.slice(2);
    else if (word === '-x') isAnySource = value !== 'none';
    else if (word === '-c') call.makes = 'object';
    else if (word === '-S') call.makes = 'assembly';
    else if (word === '-fsyntax-only') call.makes = 'nothing';
    else if (!word.startsWith('-') && !word.startsWith('@') && (isAnySource || source.test(word)))
      call.sources.push(word);
  }
  return call.sources.length > 0 ? call : undefined;
}

function withoutLauncher(command: readonly string[]): readonly string[] {
  const mode = command.indexOf('--mode=compile');
  if (mode > 0 && command.slice(0, mode).some((word) => libtool.test(word)))
    return withoutLauncher(asLibtoolCalls(command.slice(mode + 1)));
  if (!launcher.test(command[0] ?? '')) return command;
  // Its own options, and variables for it.
  const next = command.findIndex((word, at) => at > 0 && !word.startsWith('-') && !word.includes('='));
  return next < 0 ? [] : withoutLauncher(command.slice(next));
}

/** What libtool would call for the static object. Source: libtool, "Compile mode". */
function asLibtoolCalls(words: readonly string[]): string[] {
  const own = /^(?:--tag=.*|-prefer-(?:non-)?pic|-shared|-static|-no-suppress|-Xcompiler)$/;
  return words
    .filter((word) => !own.test(word))
    .flatMap((word) => (word.startsWith('-Wc,') ? word.slice('-Wc,'.length).split(',') : word))
    .map((word) => word.replace(/\.lo$/, '.o'));
}
