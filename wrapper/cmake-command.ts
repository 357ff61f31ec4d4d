import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { currentDir } from '../runtime/byte-path.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { runBuild } from './build.ts';
import { parseBuildFlags } from './build-flags.ts';
import type { Environment, NativePaths } from './command.ts';
import { runInForeground } from './foreground.ts';
import { onStage } from './on-stage.ts';

/** @returns cmake's own end, or 125 for our trouble */
export async function cmakeCommand(
  argv: readonly string[],
  { env, ...paths }: { env: Environment } & NativePaths,
): Promise<ExitStatus> {
  const flags = parseBuildFlags(argv, {
    command: 'termite cmake',
    words: '[ARGS…]',
    about: 'Runs cmake. With "--build DIR" the commands of the build run where there is room.',
  });
  if (!flags) return { kind: 'exit', code: 0 };
  const args = flags.rest;
  // cmake itself takes it in the first place only.
  if (args[0] !== '--build') return runInForeground('cmake', args, env);
  const buildDir = args[1] === undefined || args[1].startsWith('-') ? '.' : args[1];
  // What is given with -j, or behind "--" to the tool, wins over the variable.
  const tool = (jobs: number) => ({
    ...{ program: 'cmake', args, env: { CMAKE_BUILD_PARALLEL_LEVEL: `${jobs}`, ...env } },
  });
  return runBuild({
    ...{ env, flags, toolDir: resolve(currentDir(), buildDir) },
    prepare: async (project) => project,
    command: ({ jobs }, project) => onStage(tool(jobs), { project, ...paths }),
    plain: () => tool(availableParallelism()),
  });
}
