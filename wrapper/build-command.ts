import { AppError } from '../runtime/app-error.ts';
import { currentDir } from '../runtime/byte-path.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { runBuild } from './build.ts';
import { parseBuildFlags } from './build-flags.ts';
import type { Environment, NativePaths } from './command.ts';
import { onStage } from './on-stage.ts';

/** @returns the program's own end, or 125 for our trouble */
export async function buildCommand(
  argv: readonly string[],
  { env, ...paths }: { env: Environment } & NativePaths,
): Promise<ExitStatus> {
  const flags = parseBuildFlags(argv, {
    command: 'termite build',
    words: 'CMD [ARGS…]',
    about:
      'Runs any program; of what it starts, the commands of make, ninja and samu run where there is room.',
  });
  if (!flags) return { kind: 'exit', code: 0 };
  const [program, ...args] = flags.rest[0] === '--' ? flags.rest.slice(1) : flags.rest;
  if (program === undefined)
    throw new AppError('"termite build": a command is missing', {
      ...{ code: 'bad-arguments', category: 'caller', hint: 'See "termite build --help"' },
    });
  const tool = { program, args, env };
  return runBuild({
    ...{ env, flags, toolDir: currentDir() },
    prepare: async (project) => project,
    command: (_session, project) => onStage(tool, { project, ...paths }),
    plain: () => tool,
  });
}
