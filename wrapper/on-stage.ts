import { join } from 'node:path';
import { makePrivateDir, projectStateDir } from '../runtime/cache-dir.ts';
import { runProgram } from '../runtime/child-process.ts';
import type { ToolCommand } from './build.ts';
import type { Environment, NativePaths } from './command.ts';
import type { Project } from './find-socket.ts';

type Place = { project: Project } & Pick<NativePaths, 'standInPath' | 'stagePath'>;

/**
 * The same tool where the system's shells are ours: whatever it starts, make and ninja below it ask the master. make is
 * also brought to start a shell for lines that it would execute itself: it does so when its variable IFS, which is
 * otherwise without effect, holds anything but blanks. Of the ways to set it, this is the one that no shell
 * on the way loses, and every make of a script gets.
 */
export function onStage({ program, args, env }: ToolCommand, place: Place): ToolCommand {
  return {
    program: place.stagePath,
    args: [...stageArguments(env, place), program, ...args],
    env: { ...env, GNUMAKEFLAGS: `${env['GNUMAKEFLAGS'] ?? ''} IFS=,`.trimStart() },
  };
}

/** Why there can be no such place here; undefined when there can. */
export async function stageObstacle(env: Environment, place: Place): Promise<string | undefined> {
  const trial = await runProgram(place.stagePath, stageArguments(env, place), { stdin: 'ignore' });
  const isPossible = trial.status.kind === 'exit' && trial.status.code === 0;
  return isPossible
    ? undefined
    : trial.stderr
        .toString()
        .trim()
        .replace(/^termite: /, '');
}

function stageArguments(env: Environment, { project, standInPath }: Place): string[] {
  // Only a place to mount at, inside of the stage: nothing is ever in it here.
  const shellsDir = join(projectStateDir(env, project.root), 'shells');
  makePrivateDir(shellsDir);
  return [standInPath, shellsDir];
}
