import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectStateDir } from '../runtime/cache-dir.ts';
import type { ToolCommand } from './build.ts';
import type { NativePaths } from './command.ts';
import type { Project } from './find-socket.ts';

/**
 * The same tool where the system's shells are ours: whatever it starts, make and ninja below it ask the master. make is
 * also brought to start a shell for lines that it would execute itself: it does so when its variable IFS, which is
 * otherwise without effect, holds anything but blanks. Of the ways to set it, this is the one that no shell
 * on the way loses, and every make of a script gets.
 */
export function onStage(
  { program, args, env }: ToolCommand,
  { project, standInPath, stagePath }: { project: Project } & Pick<NativePaths, 'standInPath' | 'stagePath'>,
): ToolCommand {
  // Only a place to mount at, inside of the stage: nothing is ever in it here.
  const shellsDir = join(projectStateDir(env, project.root), 'shells');
  mkdirSync(shellsDir, { recursive: true, mode: 0o700 });
  return {
    program: stagePath,
    args: [standInPath, shellsDir, program, ...args],
    env: { ...env, GNUMAKEFLAGS: `${env['GNUMAKEFLAGS'] ?? ''} IFS=,`.trimStart() },
  };
}
