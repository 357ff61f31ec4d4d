import { AppError } from '../runtime/app-error.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { runBuild } from './build.ts';
import { chooseProject } from './choose-project.ts';
import type { Environment, NativePaths } from './command.ts';
import { onStage } from './on-stage.ts';
import { splitOwnFlags } from './own-flags.ts';

const help = `termite build [--root DIR] [--quiet] CMD [ARGS…]
Runs any program; of what it starts, the commands of make, ninja and samu run where there is room.

  --root DIR  Root of the project: what commands may change (default: where a master runs, else the current folder)
  --quiet     Says nothing of its own but errors
  --help      Prints this
`;

/** @returns the program's own end, or 125 for our trouble */
export async function buildCommand(
  argv: readonly string[],
  { env, ...paths }: { env: Environment } & NativePaths,
): Promise<ExitStatus> {
  const { flags, rest } = splitOwnFlags(argv, {
    ...{ command: 'termite build', valued: ['root'], plain: ['quiet', 'help'] },
  });
  if (flags.has('help')) {
    process.stdout.write(help);
    return { kind: 'exit', code: 0 };
  }
  const [program, ...args] = rest[0] === '--' ? rest.slice(1) : rest;
  if (program === undefined)
    throw new AppError('"termite build": a command is missing', {
      ...{ code: 'bad-arguments', category: 'caller', hint: 'See "termite build --help"' },
    });
  const project = chooseProject(flags.get('root'), process.cwd(), env);
  return runBuild(project, {
    env,
    isQuiet: flags.has('quiet'),
    command: () => onStage({ program, args, env }, { project, ...paths }),
  });
}
