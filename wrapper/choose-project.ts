import { AppError } from '../runtime/app-error.ts';
import type { Environment } from './command.ts';
import { findProject, holdsHome, type Project, projectAt } from './find-socket.ts';

/**
 * The project of a build: the one that was asked for, else the one whose master runs or that was built before, else the
 * current folder. A tool may be sent elsewhere, as by `-C`: a project that does not hold that folder would be of no use to it.
 *
 * @param root of `--root`
 * @param toolDir where the tool will work, absolute
 * @throws AppError `unsuitable-root` where the whole machine, or the home folder, would be the project
 */
export function chooseProject(root: string | undefined, toolDir: string, env: Environment): Project {
  if (root !== undefined) return projectAt(root, env);
  const running = findProject(toolDir, env);
  if (running) return running;
  const here = projectAt('.', env);
  const there = projectAt(toolDir, env);
  const isBelow = there.root === here.root || there.root.startsWith(`${here.root}/`);
  return suitable(isBelow ? here : there);
}

/** @throws AppError `unsuitable-root` */
export function suitable(project: Project): Project {
  if (!holdsHome(project.root)) return project;
  const what = project.root === '/' ? 'the whole machine' : 'all that is in your home folder';
  throw new AppError(`"${project.root}" is no project but ${what}`, {
    ...{ code: 'unsuitable-root', category: 'caller' },
    hint: 'Build from the top of the project, or name it: --root DIR',
  });
}
