import { join, resolve } from 'node:path';
import type { MasterEvent } from '../master/master-client.ts';
import type { Report } from '../protocol/control.ts';
import { AppError, describeError, explainError } from '../runtime/app-error.ts';
import { ignoredCacheHome } from '../runtime/cache-dir.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { say } from '../runtime/say.ts';
import type { BuildFlags } from './build-flags.ts';
import { chooseProject } from './choose-project.ts';
import type { Environment } from './command.ts';
import type { Project } from './find-socket.ts';
import { runInForeground } from './foreground.ts';
import { type OpenSession, openSession } from './start-master.ts';
import { StatusLine } from './status-line.ts';
import { summarize } from './summary.ts';
import { isUsersFault } from './users-fault.ts';
import { writeReport } from './write-report.ts';

/** A build tool as it is to be started. */
export interface ToolCommand {
  program: string;
  args: readonly string[];
  /** All of its environment but what names master and session. */
  env: Environment;
}

export type Say = (message: string) => void;

/** Our own voice, for everything but errors. */
export function voice({ isQuiet }: BuildFlags): Say {
  return (message) => {
    if (!isQuiet) say(message);
  };
}

export interface BuildOptions<Prepared> {
  env: Environment;
  flags: BuildFlags;
  /** Where the tool will work, absolute. */
  toolDir: string;
  /** The user wants to see nothing but what the tool says: then there is no last line either. */
  isSilent?: boolean;
  /** What can be done before there is a session; done while the master works on that. */
  prepare: (project: Project) => Promise<Prepared>;
  /** The tool with us, told when there is a session. */
  command: (session: OpenSession, prepared: Prepared) => ToolCommand;
  /** The tool without us. */
  plain: () => ToolCommand;
}

/**
 * One build, from finding its project to the last line. The tool runs in our own place, outside of the master's process,
 * which is started first and knows nothing of the namespaces that the tool may be in. Where no session can be had, the tool
 * runs as it would without us.
 *
 * @returns the tool's own end, or 125 for our trouble
 * @throws AppError for what the user has got wrong, and when the tool cannot be started
 */
export async function runBuild<Prepared>(options: BuildOptions<Prepared>): Promise<ExitStatus> {
  const { env, flags, isSilent = false } = options;
  const tell = voice(flags);
  let hasFailed = false;
  const { stderr } = process;
  using statusLine =
    !flags.isQuiet && stderr.isTTY && env['TERM'] !== 'dumb'
      ? new StatusLine(stderr, { hasColor: !env['NO_COLOR'] })
      : undefined;
  const onEvent = (event: MasterEvent) => {
    if (event.op === 'progress') return statusLine?.show(event);
    if (event.op === 'notice') return tell(event.message);
    hasFailed = true;
    say(event.message);
  };
  const build = await beginUnlessInVain(options, { say: tell, onEvent });
  if (!build) return runTool(options.plain());
  using session = build.session;
  const startingMs = performance.now();
  let isBrokenOff = false;
  const status = await runTool(build.tool, {
    onSignal: () => {
      isBrokenOff = true;
    },
  });
  const report = await fetchReport(session, { isBrokenOff, say: tell });
  statusLine?.[Symbol.dispose]();
  if (report && report.commands > 0 && !isSilent)
    for (const line of summarize(report, { startingMs })) tell(line);
  if (report && env['TERMITE_REPORT']) writeReport(env['TERMITE_REPORT'], report, tell);
  return hasFailed ? { kind: 'exit', code: 125 } : status;
}

function runTool(
  { program, args, env }: ToolCommand,
  options: Parameters<typeof runInForeground>[3] = {},
): Promise<ExitStatus> {
  return runInForeground(program, args, env, options);
}

/** A first build of a large project, or of what is none, must not look as if it hung. */
const patienceMs = 5_000;

interface Voices {
  say: Say;
  onEvent: (event: MasterEvent) => void;
}

/**
 * Everything before the tool starts; undefined, after saying why, where the build has to do without us.
 *
 * @throws AppError for what the user has got wrong
 */
async function beginUnlessInVain<Prepared>(
  options: BuildOptions<Prepared>,
  voices: Voices,
): Promise<{ session: OpenSession; tool: ToolCommand } | undefined> {
  try {
    return await begin(options, voices);
  } catch (error) {
    if (isUsersFault(error)) throw error;
    say(`building without Termite: ${explainError(error)}`);
    return undefined;
  }
}

async function begin<Prepared>(
  { env, flags, toolDir, prepare, command }: BuildOptions<Prepared>,
  { say, onEvent }: Voices,
): Promise<{ session: OpenSession; tool: ToolCommand }> {
  const ignored = ignoredCacheHome(env);
  if (ignored !== undefined) say(`XDG_CACHE_HOME is no absolute path and has no effect: "${ignored}"`);
  const project = chooseProject(flags.root, toolDir, env);
  const { root } = project;
  const timer = setTimeout(
    () => say(`still reading "${root}"; if the project is only a part of it, name that: --root DIR`),
    patienceMs,
  );
  try {
    let preparing: Promise<Prepared> | undefined;
    const onWaiting = () => {
      preparing ??= prepare(project);
      // Its failure is that of the build, unless there is no session at all.
      preparing.catch(() => {});
    };
    const { check, compileCommands: database } = flags;
    const session = await openSession(project, {
      ...{ env, onEvent, onWaiting, check },
      compileCommands:
        database === undefined ? undefined : resolve(database || join(root, 'compile_commands.json')),
    });
    try {
      const tool = command(session, await preparing!);
      return { session, tool: { ...tool, env: withSession(tool.env, project, session) } };
    } catch (error) {
      session[Symbol.dispose]();
      throw error;
    }
  } finally {
    clearTimeout(timer);
  }
}

/**
 * As our shells, and the master on behalf of commands, want it. A build within a command that the master wants alone is one that was
 * asked for.
 */
function withSession(env: Environment, project: Project, session: OpenSession): Environment {
  const { TERMITE_LOCAL: _, ...rest } = env;
  // In a build within a build $SHELL is ours already.
  const shellName = env['TERMITE_SESSION'] === undefined ? 'SHELL' : 'TERMITE_CALLERS_SHELL';
  return {
    ...rest,
    TERMITE_CALLERS_SHELL: env[shellName] ?? '',
    TERMITE_SOCKET: project.socketPath,
    TERMITE_SESSION: session.id,
    TERMITE_TRIFLES: session.hasRules ? '' : '1',
  };
}

/** undefined when the master is gone: then the tool has been told by each of its shells. */
async function fetchReport(
  session: OpenSession,
  { isBrokenOff, say }: { isBrokenOff: boolean; say: Say },
): Promise<Report | undefined> {
  try {
    return (await session.client.ask('report', { isBrokenOff })).report;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    say(`no report: ${describeError(error)}`);
    return undefined;
  }
}
