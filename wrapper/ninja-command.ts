import { resolve } from 'node:path';
import { AppError } from '../runtime/app-error.ts';
import { currentDir } from '../runtime/byte-path.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { runBuild } from './build.ts';
import { parseBuildFlags } from './build-flags.ts';
import type { Environment, NativePaths } from './command.ts';
import { findProgram } from './find-program.ts';
import { runInForeground } from './foreground.ts';
import { parseNinjaArguments } from './ninja-arguments.ts';
import { onStage } from './on-stage.ts';

/** Debian's, Fedora's, and the one in C. */
const programs = ['ninja', 'ninja-build', 'samu'];

/** @returns ninja's own end, or 125 for our trouble */
export async function ninjaCommand(
  argv: readonly string[],
  { env, ...paths }: { env: Environment } & NativePaths,
): Promise<ExitStatus> {
  const flags = parseBuildFlags(argv, {
    command: 'termite ninja',
    words: '[ARGS…]',
    about: 'Runs ninja, or samu, and its commands where there is room. All further arguments are its own.',
  });
  if (!flags) return { kind: 'exit', code: 0 };
  const args = flags.rest;
  const program = findProgram(programs, env['PATH']);
  if (program === undefined)
    throw new AppError('No ninja is on the PATH', {
      ...{ code: 'no-program', category: 'not-found', hint: 'apt-get install ninja-build' },
    });
  const { dir, hasJobs, isBuild } = parseNinjaArguments(args);
  if (!isBuild) return runInForeground(program, args, env);
  return runBuild({
    ...{ env, flags, toolDir: resolve(currentDir(), dir) },
    prepare: async (project) => project,
    command: ({ jobs }, project) => {
      const jobArgs = hasJobs ? [] : [`-j${jobs}`];
      return onStage({ program, args: [...jobArgs, ...args], env }, { project, ...paths });
    },
    // It takes all processors by itself.
    plain: () => ({ program, args, env }),
  });
}
