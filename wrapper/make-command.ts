import { resolve } from 'node:path';
import type { ExitStatus } from '../runtime/child-process.ts';
import { runBuild, voice } from './build.ts';
import { parseBuildFlags } from './build-flags.ts';
import { chooseProject } from './choose-project.ts';
import type { Environment, NativePaths } from './command.ts';
import { hasJobsInEnvironment, type MakeArguments, parseMakeArguments } from './make-arguments.ts';
import { findMakefileShell } from './make-shell.ts';
import type { OpenSession } from './start-master.ts';

/** The commands of one `make`, from finding a master to the last line. @returns make's own end, or 125 for our trouble */
export async function makeCommand(
  argv: readonly string[],
  { env, shellPath }: { env: Environment } & Pick<NativePaths, 'shellPath'>,
): Promise<ExitStatus> {
  const flags = parseBuildFlags(argv, {
    command: 'termite make',
    words: '[ARGS…]',
    about: 'Runs make, and its commands where there is room. All further arguments are its own.',
  });
  if (!flags) return { kind: 'exit', code: 0 };
  const args = flags.rest;
  const given = parseMakeArguments(args);
  const makeDir = resolve(...given.dirs);
  const project = chooseProject(flags.root, makeDir, env);
  const say = voice(flags);
  const makefile = findMakefileShell(makeDir, given.files);
  if (given.shell !== undefined) say('nothing will be distributed: SHELL is given on the command line');
  else if (makefile.isOverridden) say('nothing will be distributed: the makefile says "override SHELL"');

  return runBuild(project, {
    env,
    flags,
    command: (session) => ({
      program: 'make',
      args: makeArguments(args, given, { session, env, shellPath }),
      env: { ...env, TERMITE_SHELL: makefile.path ?? '/bin/sh' },
    }),
  });
}

/** What is said after SHELL=… wins over it, so that the user's own word counts. */
function makeArguments(
  args: readonly string[],
  given: MakeArguments,
  { session, env, shellPath }: { session: OpenSession; env: Environment } & Pick<NativePaths, 'shellPath'>,
): string[] {
  const jobs = given.hasJobs || hasJobsInEnvironment(env) ? [] : [`-j${session.jobs}`];
  const shell = given.shell === undefined ? [`SHELL=${shellPath}`] : [];
  return [...jobs, ...shell, ...args];
}
