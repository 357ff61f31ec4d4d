import type { Environment } from './command.ts';
import { findProject, type Project, projectAt } from './find-socket.ts';

/**
 * The project of a build: the one that was asked for, else the one whose master runs, else the current folder. A tool
 * may be sent elsewhere, as by `-C`: a project that does not hold that folder would be of no use to it.
 *
 * @param root of `--root`
 * @param toolDir where the tool will work, absolute
 */
export function chooseProject(root: string | undefined, toolDir: string, env: Environment): Project {
  if (root !== undefined) return projectAt(root);
  const running = findProject(toolDir, env['TERMITE_SOCKET']);
  if (running) return running;
  const here = projectAt('.');
  const there = projectAt(toolDir);
  return there.root === here.root || there.root.startsWith(`${here.root}/`) ? here : there;
}
