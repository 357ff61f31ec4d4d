import { resolve } from 'node:path';
import type { ExitStatus } from '../runtime/child-process.ts';
import { runBuild } from './build.ts';
import { chooseProject } from './choose-project.ts';
import type { Environment, NativePaths } from './command.ts';
import { runInForeground } from './foreground.ts';
import { onStage } from './on-stage.ts';
import { splitOwnFlags } from './own-flags.ts';

const help = `termite cmake [--root DIR] [--quiet] [ARGS…]
Runs cmake. With "--build DIR" the build's commands run where there is room; everything else is only passed on.

  --root DIR  Root of the project: what commands may change (default: where a master runs, else the current folder)
  --quiet     Says nothing of its own but errors
  --help      Prints this
`;

/** @returns cmake's own end, or 125 for our trouble */
export async function cmakeCommand(
  argv: readonly string[],
  { env, ...paths }: { env: Environment } & NativePaths,
): Promise<ExitStatus> {
  const { flags, rest: args } = splitOwnFlags(argv, {
    ...{ command: 'termite cmake', valued: ['root'], plain: ['quiet', 'help'] },
  });
  if (flags.has('help')) {
    process.stdout.write(help);
    return { kind: 'exit', code: 0 };
  }
  // cmake itself takes it in the first place only.
  if (args[0] !== '--build') return runInForeground('cmake', args, env);
  const buildDir = args[1] === undefined || args[1].startsWith('-') ? '.' : args[1];
  const project = chooseProject(flags.get('root'), resolve(buildDir), env);
  return runBuild(project, {
    env,
    isQuiet: flags.has('quiet'),
    command: ({ jobs }) => {
      // What is given with -j, or behind "--" to the tool, wins over it.
      const toolEnv = { CMAKE_BUILD_PARALLEL_LEVEL: `${jobs}`, ...env };
      return onStage({ program: 'cmake', args, env: toolEnv }, { project, ...paths });
    },
  });
}
