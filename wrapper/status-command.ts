import { MasterClient, parkedSocketPath } from '../master/master-client.ts';
import { AppError } from '../runtime/app-error.ts';
import { projectStateDir } from '../runtime/cache-dir.ts';
import { printLines } from '../runtime/say.ts';
import type { Environment } from './command.ts';
import { projectAround, projectAt } from './find-socket.ts';
import { takeOwnFlags } from './own-flags.ts';

const help = `
  --root DIR  Root of the project (default: where a master runs, else the current folder)
  --help      Prints this
`;

/**
 * A connection to the master of the project around the current folder, be it one that waits for the next build.
 *
 * @returns undefined when help was asked for, and printed
 * @throws AppError `no-master`
 */
export async function connectToMaster(
  argv: readonly string[],
  { command, about }: { command: string; about: string },
  env: Environment,
): Promise<MasterClient | undefined> {
  const { flags } = takeOwnFlags(argv, { command, valued: ['root'], plain: ['help'] });
  if (flags.has('help')) {
    process.stdout.write(`${command} [--root DIR]\n${about}\n${help}`);
    return undefined;
  }
  const root = flags.get('root');
  const project = root === undefined ? projectAround('.', env) : projectAt(root, env);
  const client =
    (await MasterClient.connect(project.socketPath)) ??
    (await MasterClient.connect(parkedSocketPath(projectStateDir(env, project.root))));
  if (client) return client;
  throw new AppError(`No master runs for "${project.root}"`, {
    code: 'no-master',
    category: 'not-found',
    hint: '"termite make" starts one for a build, "termite master" one that stays',
  });
}

/** Prints what the project's master is doing. */
export async function statusCommand(argv: readonly string[], env: Environment): Promise<void> {
  const about = "Prints what the project's master is doing";
  using client = await connectToMaster(argv, { command: 'termite status', about }, env);
  if (!client) return;
  const { pid, root, executors, sessions, files, epoch } = await client.ask('status');
  const lines = [
    `master     ${pid}`,
    `root       ${root} (${files} files, epoch ${epoch})`,
    `builds     ${sessions}`,
    ...executors.map(({ name, slots, running }) => `executor   ${name}: ${running} of ${slots} slots taken`),
    ...(executors.length === 0 ? ['executor   none'] : []),
  ];
  printLines(lines);
}
