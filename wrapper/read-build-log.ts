import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildLog, buildLogName, buildLogSchema } from '../protocol/build-log.ts';
import { AppError } from '../runtime/app-error.ts';
import { projectStateDir } from '../runtime/cache-dir.ts';
import { isErrno } from '../runtime/errno.ts';
import type { Environment } from './command.ts';
import { projectAround, projectAt } from './find-socket.ts';

/** What the last build of a project left. @throws AppError `no-build` when there was none */
export function readBuildLog(root: string | undefined, env: Environment): BuildLog {
  const project = root === undefined ? projectAround('.', env) : projectAt(root, env);
  const log = findBuildLog(project.root, env);
  if (log) return log;
  throw new AppError(`No build of "${project.root}" is known`, {
    code: 'no-build',
    category: 'caller',
    hint: 'Run "termite make" there first, or say --root DIR',
  });
}

/** The same; undefined when there was none. @param root absolute */
export function findBuildLog(root: string, env: Environment): BuildLog | undefined {
  try {
    return parseBuildLog(readFileSync(join(projectStateDir(env, root), buildLogName), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Undefined for what is none: of another version, or cut short when the machine went down. */
export function parseBuildLog(text: string): BuildLog | undefined {
  try {
    return buildLogSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
