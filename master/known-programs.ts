import type { SimpleCommand } from './shell-words.ts';
import { toolchainProgram } from './toolchain.ts';

/**
 * Programs beside those of the toolchain that neither look at their surroundings nor compare times, as compile lines of
 * makefiles use them. Source: GNU coreutils manual, sed(1).
 */
const smallPrograms = new Set([
  ...[
    'basename',
    'cat',
    'chmod',
    'cmp',
    'cp',
    'cut',
    'dirname',
    'expr',
    'head',
    'ln',
    'mkdir',
    'mv',
    'rm',
    'rmdir',
  ],
  ...['sed', 'sort', 'tail', 'tee', 'test', '[', 'touch', 'tr', 'uniq', 'wc'],
]);
/** What a shell does itself. */
const builtins = new Set([
  ':',
  'cd',
  'echo',
  'exit',
  'false',
  'for',
  'pwd',
  'printf',
  'set',
  'true',
  'umask',
  'test',
  '[',
]);
/** Shells whose use of variables is part of `documentedVariables`. */
const shell = /^(?:.*\/)?(?:sh|dash|bash|ash)$/;
/** Arguments that make a compiler or linker run, or be, something else than it seems. `@file` may hold any. */
const leavesTheKnown =
  /^(?:@|-wrapper|-fplugin|-fpass-plugin|-?-specs|-?-plugin|-load|-B(?!static|dynamic|symbolic|group|shareable)|-Wl,-?-plugin|-Wl,@|-fuse-ld=.*\/)/;
/** One or more `s` commands of sed with nothing behind them that would run something. */
const harmlessSed = /^(?:s(.)(?:(?!\1).)*\1(?:(?!\1).)*\1[gpiI\d]*[;\s]*)+$/s;
/** Variables that bring a known program to run an unknown one. */
const subverting =
  /^(?:LD_PRELOAD|LD_AUDIT|BASH_ENV|BASH_FUNC_.*|COMPILER_PATH|GCC_EXEC_PREFIX|CCC_OVERRIDE_OPTIONS)=./s;

/**
 * Variables that the known programs read, and the shell when it runs lines made of them. Sources: gcc(1) "Environment Variables
 * Affecting GCC", GCC internals of collect2, clang(1) "ENVIRONMENT", clang/lib/Driver/Driver.cpp, ld(1), as(1), ar(1), mold(1),
 * LLVM "CommandGuide", ld.so(8), locale(7), gettext(1), mallopt(3), tzset(3), POSIX.1-2024 "Shell Variables", bash(1), dash(1),
 * GNU coreutils manual "Common options" and "Backup options".
 */
const documentedNames = new Set([
  ...[
    'CPATH',
    'C_INCLUDE_PATH',
    'CPLUS_INCLUDE_PATH',
    'OBJC_INCLUDE_PATH',
    'OBJCPLUS_INCLUDE_PATH',
    'LIBRARY_PATH',
  ],
  ...[
    'COMPILER_PATH',
    'DEPENDENCIES_OUTPUT',
    'SUNPRO_DEPENDENCIES',
    'SOURCE_DATE_EPOCH',
    'TERM_URLS',
    'INCLUDE',
    'LIB',
  ],
  ...[
    'SDKROOT',
    'ZERO_AR_DATE',
    'FORCE_CLANG_DIAGNOSTICS_CRASH',
    'XDG_CACHE_HOME',
    'RC_DEBUG_OPTIONS',
    'RC_DEBUG_PREFIX_MAP',
  ],
  ...['LDEMULATION', 'GNUTARGET', 'ANSI_COLORS_DISABLED', 'NO_COLOR', 'CLICOLOR_FORCE'],
  ...[
    'TMPDIR',
    'TMP',
    'TEMP',
    'TZ',
    'TZDIR',
    'LANG',
    'LANGUAGE',
    'LOCPATH',
    'NLSPATH',
    'OUTPUT_CHARSET',
    'GCONV_PATH',
  ],
  ...['GETCONF_DIR', 'GLIBC_TUNABLES', 'POSIXLY_CORRECT', 'VERSION_CONTROL', 'SIMPLE_BACKUP_SUFFIX'],
  ...[
    'PATH',
    'HOME',
    'PWD',
    'IFS',
    'ENV',
    'CDPATH',
    'PS4',
    'SHELLOPTS',
    'BASHOPTS',
    'OMP_NUM_THREADS',
    'COLS',
  ],
]);
const documentedBeginnings =
  /^(?:GCC_|COLLECT_|CCC_|CC_PRINT_|CC_LOG_|CLANG_|LIBCLANG_|LLVM_|MOLD_|LLD_|LD_|MALLOC_|LC_|BASH_|DEBUGINFOD_|_POSIX2_|[A-Z]+_DEPLOYMENT_TARGET$|LTO_|PARALLEL_LTO)/;
/** With link-time optimisation compilers start a make of their own. */
const linkTimeNames = new Set([
  'MAKE',
  'MAKEFLAGS',
  'MFLAGS',
  'GNUMAKEFLAGS',
  'MAKELEVEL',
  'SHELL',
  'GOMP_CPU_AFFINITY',
]);

/** A command as make hands it over. */
export interface KnownQuestion {
  /** `[shell, '-c', line]`, or a program and its arguments. */
  argv: readonly string[];
  /** `K=V` */
  env: readonly string[];
  /** The commands of its line, or the one that it is. */
  commands: readonly SimpleCommand[];
  /** undefined: it is no line for a shell. */
  line: string | undefined;
}

/**
 * Which variables can be of any effect on a command that runs nothing but known programs.
 *
 * @param isInstalled whether the name of a program stands for that of the system
 * @returns undefined for any other command: then all of them can
 */
export function knownVariables(
  { argv, env, commands, line }: KnownQuestion,
  isInstalled: (word: string) => boolean,
): ((name: string) => boolean) | undefined {
  if (line !== undefined && !shell.test(argv[0] ?? '')) return undefined;
  const expanded = line === undefined ? new Set<string>() : expandedNames(line);
  if (!expanded || commands.length === 0 || env.some((entry) => subverting.test(entry))) return undefined;
  const areKnown = commands.every((command) =>
    isKnown(command, { inShell: line !== undefined, isInstalled }),
  );
  if (!areKnown) return undefined;
  const isLinkTime = argv.some((word) => word.includes('-flto'));
  return (name) =>
    documentedNames.has(name) ||
    documentedBeginnings.test(name) ||
    expanded.has(name) ||
    (isLinkTime && linkTimeNames.has(name));
}

function isKnown(
  { name, args }: SimpleCommand,
  { inShell, isInstalled }: { inShell: boolean; isInstalled: (word: string) => boolean },
): boolean {
  const program = name.slice(name.lastIndexOf('/') + 1);
  if (inShell && builtins.has(name)) return isKnownBuiltin(name, args);
  const isTool = toolchainProgram(name) !== undefined;
  if (!isTool && !smallPrograms.has(program)) return false;
  if (isTool ? !isKnownTool(program, args) : !isKnownUse(program, args)) return false;
  return isInstalled(name);
}

/** An archive with `U` holds the times of its members; one that does by itself is noticed when it is kept (shown-times.ts). */
function isKnownTool(program: string, args: readonly string[]): boolean {
  if (/(?:^|-)ar(?:-[\d.]+)?$/.test(program) && /^-?[a-zA-Z]*U/.test(args[0] ?? '')) return false;
  return !args.some((arg) => leavesTheKnown.test(arg));
}

/** Without arguments `set` prints all variables. */
function isKnownBuiltin(name: string, args: readonly string[]): boolean {
  return name === 'set' ? /^[-+]./.test(args[0] ?? '') : isKnownUse(name, args);
}

function isKnownUse(program: string, args: readonly string[]): boolean {
  switch (program) {
    case 'test':
    case '[':
      return !args.some((arg) => /^-(?:nt|ot|ef|N)$/.test(arg));
    case 'cp':
    case 'mv':
      return !args.some((arg) => /^(?:-[a-zA-Z]*u|--update)/.test(arg));
    case 'touch':
      return !args.some((arg) => /^(?:-[a-zA-Z]*[dtr]|--)/.test(arg));
    case 'sed':
      return isKnownSed(args);
    default:
      return true;
  }
}

/** Its scripts can run commands, and read and write other files. */
function isKnownSed(args: readonly string[]): boolean {
  const scripts: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '-e') scripts.push(args[++i] ?? '');
    else if (arg.startsWith('-') && !/^-[nErsz]+$/.test(arg)) return false;
    else if (!arg.startsWith('-') && scripts.length === 0) scripts.push(arg);
  }
  return scripts.length > 0 && scripts.every((script) => harmlessSed.test(script));
}

/** The variables that a line may expand; undefined when its text does not tell. */
function expandedNames(line: string): Set<string> | undefined {
  const names = new Set<string>();
  for (const [, indirect, inBraces, plain, arithmetic] of line.matchAll(
    /\$(?:\{([#!]?)(\w*)|([A-Za-z_]\w*)|(\(\())/g,
  )) {
    if (arithmetic !== undefined || indirect === '!') return undefined;
    const name = inBraces ?? plain;
    if (name) names.add(name);
  }
  return names;
}
