import { resolveRoot } from '../master/master-client.ts';
import { AppError } from '../runtime/app-error.ts';
import type { Environment } from './command.ts';
import { findBuilt, findRunning, holdsHome, type Project, projectAt } from './find-socket.ts';

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
  const running = findRunning(toolDir, env);
  if (running) return running;
  const here = resolveRoot('.');
  const there = resolveRoot(toolDir);
  const start = there === here || there.startsWith(`${here}/`) ? here : there;
  return findBuilt(start, env) ?? suitable(projectAt(start, env));
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
