import { join, resolve } from 'node:path';
import type { MasterEvent } from '../master/master-client.ts';
import type { Report } from '../protocol/control.ts';
import { AppError, describeError } from '../runtime/app-error.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { checkOf } from './check-flags.ts';
import type { Environment, ShellPaths } from './command.ts';
import { findProject, type Project, projectAt } from './find-socket.ts';
import { runInForeground } from './foreground.ts';
import { hasJobsInEnvironment, type MakeArguments, parseMakeArguments } from './make-arguments.ts';
import { findMakefileShell } from './make-shell.ts';
import { splitOwnFlags } from './own-flags.ts';
import { type OpenSession, openSession } from './start-master.ts';
import { StatusLine } from './status-line.ts';
import { summarize } from './summary.ts';
import { writeReport } from './write-report.ts';

export const makeHelp = `termite make [--root DIR] [--quiet] [--verify[=PERCENT]] [--compile-commands[=FILE]] [ARGS…]
Runs make, and its commands where there is room. All further arguments are make's own.

  --root DIR                 Root of the project: what commands may change (default: where a master runs, else the
                             current folder)
  --quiet                    Says nothing of its own but errors
  --verify[=PERCENT]         Runs commands, or so many percent of them, although their results are cached, and compares
  --compile-commands[=FILE]  Adds what the build compiles to a compilation database (default: compile_commands.json in
                             the root)
  --help                     Prints this

Environment: TERMITE_COORDINATOR: URL of a coordinator. TERMITE_REPORT: file to write a report to, as JSON.
`;

/** The commands of one `make`, from finding a master to the last line. @returns make's own end, or 125 for our trouble */
export async function makeCommand(
  argv: readonly string[],
  { env, shellPath }: { env: Environment } & ShellPaths,
): Promise<ExitStatus> {
  const { flags, rest: args } = splitOwnFlags(argv, {
    command: 'termite make',
    valued: ['root'],
    optional: ['verify', 'compile-commands'],
    plain: ['quiet', 'help'],
  });
  if (flags.has('help')) {
    process.stdout.write(makeHelp);
    return { kind: 'exit', code: 0 };
  }
  const isQuiet = flags.has('quiet');
  const given = parseMakeArguments(args);
  const makeDir = resolve(...given.dirs);
  const project = chooseProject(flags.get('root'), makeDir, env);
  const say = (message: string) => {
    if (!isQuiet) process.stderr.write(`termite: ${message}\n`);
  };
  const makefile = findMakefileShell(makeDir, given.files);
  if (given.shell !== undefined) say('nothing will be distributed: SHELL is given on the command line');
  else if (makefile.isOverridden) say('nothing will be distributed: the makefile says "override SHELL"');

  let hasFailed = false;
  const { stderr } = process;
  using statusLine =
    !isQuiet && stderr.isTTY && env['TERM'] !== 'dumb'
      ? new StatusLine(stderr, { hasColor: !env['NO_COLOR'] })
      : undefined;
  const onEvent = (event: MasterEvent) => {
    if (event.op === 'progress') return statusLine?.show(event);
    if (event.op === 'notice') return say(event.message);
    hasFailed = true;
    stderr.write(`termite: ${event.message}\n`);
  };
  const database = flags.get('compile-commands');
  using session = await openSession(project, {
    ...{ env, onEvent, check: checkOf(flags, 'termite make') },
    compileCommands:
      database === undefined ? undefined : resolve(database || join(project.root, 'compile_commands.json')),
  });
  const shell = makefile.path ?? '/bin/sh';
  const status = await runInForeground('make', makeArguments(args, given, { session, env, shellPath }), {
    ...env,
    TERMITE_SOCKET: project.socketPath,
    TERMITE_SESSION: session.id,
    TERMITE_SHELL: shell,
  });
  const report = await fetchReport(session, say);
  statusLine?.[Symbol.dispose]();
  if (report) publish(report, { say, file: env['TERMITE_REPORT'] });
  return hasFailed ? { kind: 'exit', code: 125 } : status;
}

/** What is said after SHELL=… wins over it, so that the user's own word counts. */
function makeArguments(
  args: readonly string[],
  given: MakeArguments,
  { session, env, shellPath }: { session: OpenSession; env: Environment } & ShellPaths,
): string[] {
  const jobs = given.hasJobs || hasJobsInEnvironment(env) ? [] : [`-j${session.jobs}`];
  const shell = given.shell === undefined ? [`SHELL=${shellPath}`] : [];
  return [...jobs, ...shell, ...args];
}

/** make may be sent elsewhere by -C: a project that does not hold that folder would be of no use to it. */
function chooseProject(root: string | undefined, makeDir: string, env: Environment): Project {
  if (root !== undefined) return projectAt(root);
  const running = findProject(makeDir, env['TERMITE_SOCKET']);
  if (running) return running;
  const here = projectAt('.');
  const there = projectAt(makeDir);
  return there.root === here.root || there.root.startsWith(`${here.root}/`) ? here : there;
}

/** undefined when the master is gone: then make has been told by each of its shells. */
async function fetchReport(
  session: OpenSession,
  say: (message: string) => void,
): Promise<Report | undefined> {
  try {
    return (await session.client.ask('report')).report;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    say(`no report: ${describeError(error)}`);
    return undefined;
  }
}

function publish(
  report: Report,
  { say, file }: { say: (message: string) => void; file: string | undefined },
): void {
  if (report.commands > 0) for (const line of summarize(report)) say(line);
  if (file) writeReport(file, report);
}
