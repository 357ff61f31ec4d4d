import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { AppError } from '../runtime/app-error.ts';
import { currentDir, decodeBytes, fsPath } from '../runtime/byte-path.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { nearest } from '../runtime/nearest.ts';
import { runBuild, voice } from './build.ts';
import { ownFlags, parseBuildFlags } from './build-flags.ts';
import type { Environment, NativePaths } from './command.ts';
import { hasJobsInEnvironment, parseMakeArguments, unknownFlags } from './make-arguments.ts';
import { findMakefileShell, type MakefileShell } from './make-shell.ts';
import { onStage, stageObstacle } from './on-stage.ts';
import type { Place } from './shell-wishes.ts';

/**
 * The commands of one `make`, from finding a master to the last line. make is given our shell on its command line, or where
 * that would not do as the makefiles say, on a stage.
 *
 * @returns make's own end, or 125 for our trouble
 */
export async function makeCommand(
  argv: readonly string[],
  { env, shellPath, preloadPath, ...paths }: { env: Environment } & NativePaths,
): Promise<ExitStatus> {
  const flags = parseBuildFlags(argv, {
    command: 'termite make',
    words: '[ARGS…]',
    about: 'Runs make, and its commands where there is room. All further arguments are its own.',
  });
  if (!flags) return { kind: 'exit', code: 0 };
  const args = flags.rest;
  refuseMisplacedFlags(args);
  const given = parseMakeArguments(args);
  const makeDir = resolve(currentDir(), ...given.dirs);
  const say = voice(flags);
  if (given.shell !== undefined) say('nothing will be distributed: SHELL is given on the command line');
  const hasJobs = given.hasJobs || hasJobsInEnvironment(env);
  const commandOf = (jobs: number, env: Environment, shellArgs: readonly string[] = []) => ({
    // In front of SHELL=… of the user, which so wins over it.
    ...{ program: 'make', args: [...(hasJobs ? [] : [`-j${jobs}`]), ...shellArgs, ...args], env },
  });

  return runBuild({
    ...{ env, flags, toolDir: makeDir, isSilent: given.isSilent },
    prepare: async (project) => {
      const place = { project, ...paths };
      const shell = chooseShell(makeDir, given.files, env);
      const exception = given.shell === undefined ? shell.exception : undefined;
      const obstacle = exception && (await stageObstacle(env, place));
      if (exception && obstacle !== undefined)
        say(`cannot follow ${nameOf(exception, makeDir)}: ${obstacle}`);
      return { shell, place, isStaged: exception !== undefined && obstacle === undefined };
    },
    command: ({ jobs }, { shell, place, isStaged }) => {
      const preload = preloadVariables(env, { preloadPath, shellPath });
      if (isStaged) return onStage(commandOf(jobs, { ...withoutShell(env, shellPath), ...preload }), place);
      const shells = { TERMITE_SHELL: shell.path, TERMITE_SHELLS: linesOf(shell, makeDir) };
      const shellArgs = given.shell === undefined ? [`SHELL=${shellPath}`] : [];
      return commandOf(jobs, { ...env, ...shells, ...preload }, shellArgs);
    },
    plain: () => commandOf(availableParallelism(), withoutShell(env, shellPath)),
  });
}

/** make would answer them with forty lines of its own usage. @throws AppError `bad-arguments` */
function refuseMisplacedFlags(args: readonly string[]): void {
  for (const flag of unknownFlags(args)) {
    const meant = nearest(flag, ownFlags);
    if (meant === undefined) continue;
    throw new AppError(
      meant === flag
        ? `Termite's flags come first: "--${flag}" stands behind what is for make`
        : `make has no "--${flag}": did you mean "--${meant}"?`,
      { code: 'bad-arguments', category: 'caller', hint: 'See "termite make --help"' },
    );
  }
}

/** $TERMITE_SHELL is the user's word against all makefiles; but inside of a build it is the one that was found for that. */
function chooseShell(makeDir: string, files: readonly string[], env: Environment): MakefileShell {
  const chosen = env['TERMITE_SESSION'] === undefined ? env['TERMITE_SHELL'] : undefined;
  return chosen ? { path: chosen, elsewhere: new Map() } : findMakefileShell(makeDir, files, env['PATH']);
}

/** As our shell reads it, see local_wanted_shell() in native/shell: it sees folders as the kernel does, without symlinks. */
function linesOf({ path, elsewhere }: MakefileShell, makeDir: string): string {
  if (elsewhere.size === 0) return '';
  const physical = decodeBytes(realpathSync.native(fsPath(makeDir), { encoding: 'buffer' }));
  const lines = [...elsewhere].map(([dir, shell]) => `${shell} ${join(physical, relative(makeDir, dir))}`);
  return [path, ...lines].join('\n');
}

/** As native/preload reads them. The linker takes blanks and colons for the ends of names: there long lines fail. */
function preloadVariables(
  env: Environment,
  { preloadPath, shellPath }: Pick<NativePaths, 'preloadPath' | 'shellPath'>,
): Environment {
  if (/[\s:]/.test(preloadPath)) return {};
  // A line that runs a make, as this one, has it already.
  const others = (env['LD_PRELOAD'] ?? '').split(/[\s:]+/).filter((path) => path && path !== preloadPath);
  return {
    LD_PRELOAD: [preloadPath, ...others].join(':'),
    TERMITE_PRELOAD: preloadPath,
    TERMITE_LINE_SHELL: shellPath,
  };
}

/** On a stage nobody is to be given a shell, neither by a make around us that has ours. */
function withoutShell(env: Environment, shellPath: string): Environment {
  const makeflags = env['MAKEFLAGS']?.replace(` SHELL=${shellPath}`, '');
  return makeflags === undefined ? env : { ...env, MAKEFLAGS: makeflags };
}

function nameOf({ file, line, text }: Place, makeDir: string): string {
  const start = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return `"${relative(makeDir, file)}"${line === undefined ? '' : `, line ${line}`}: "${start}"`;
}
