import { MasterClient, parkedSocketPath } from '../master/master-client.ts';
import { AppError } from '../runtime/app-error.ts';
import { showBytes } from '../runtime/byte-path.ts';
import { projectStateDir } from '../runtime/cache-dir.ts';
import type { Environment } from './command.ts';
import { projectAround, projectAt } from './find-socket.ts';
import { splitOwnFlags } from './own-flags.ts';

/**
 * A connection to the master of the project around the current folder, be it one that waits for the next build.
 *
 * @throws AppError `no-master`
 */
export async function connectToMaster(
  argv: readonly string[],
  command: string,
  env: Environment,
): Promise<MasterClient> {
  const { flags, rest } = splitOwnFlags(argv, { command, valued: ['root'], plain: [] });
  if (rest.length > 0)
    throw new AppError(`"${command}" does not know "${rest[0]}"`, {
      code: 'bad-arguments',
      category: 'caller',
      hint: `Usage: ${command} [--root DIR]`,
    });
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
  using client = await connectToMaster(argv, 'termite status', env);
  const { pid, root, executors, sessions, files, epoch } = await client.ask('status');
  const lines = [
    `master     ${pid}`,
    `root       ${root} (${files} files, epoch ${epoch})`,
    `builds     ${sessions}`,
    ...executors.map(({ name, slots, running }) => `executor   ${name}: ${running} of ${slots} slots taken`),
    ...(executors.length === 0 ? ['executor   none'] : []),
  ];
  process.stdout.write(`${showBytes(lines.join('\n'))}\n`);
}
