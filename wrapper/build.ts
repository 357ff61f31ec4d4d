import { join, resolve } from 'node:path';
import type { MasterEvent } from '../master/master-client.ts';
import type { Report } from '../protocol/control.ts';
import { AppError, describeError } from '../runtime/app-error.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import type { BuildFlags } from './build-flags.ts';
import type { Environment } from './command.ts';
import type { Project } from './find-socket.ts';
import { runInForeground } from './foreground.ts';
import { type OpenSession, openSession } from './start-master.ts';
import { StatusLine } from './status-line.ts';
import { summarize } from './summary.ts';
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
    if (!isQuiet) process.stderr.write(`termite: ${message}\n`);
  };
}

/**
 * One build, from opening a session to the last line. The tool runs in our own place, outside of the master's process,
 * which is started first and knows nothing of the namespaces that the tool may be in.
 *
 * @param prepare what can be done before there is a session; done while the master works on that
 * @param command told when there is one
 * @returns the tool's own end, or 125 for our trouble
 */
export async function runBuild<Prepared>(
  project: Project,
  options: {
    env: Environment;
    flags: BuildFlags;
    /** The user wants to see nothing but what the tool says: then there is no last line either. */
    isSilent?: boolean;
    prepare: () => Promise<Prepared>;
    command: (session: OpenSession, prepared: Prepared) => ToolCommand;
  },
): Promise<ExitStatus> {
  const { env, flags, prepare, command, isSilent = false } = options;
  const say = voice(flags);
  let hasFailed = false;
  const { stderr } = process;
  using statusLine =
    !flags.isQuiet && stderr.isTTY && env['TERM'] !== 'dumb'
      ? new StatusLine(stderr, { hasColor: !env['NO_COLOR'] })
      : undefined;
  const onEvent = (event: MasterEvent) => {
    if (event.op === 'progress') return statusLine?.show(event);
    if (event.op === 'notice') return say(event.message);
    hasFailed = true;
    stderr.write(`termite: ${event.message}\n`);
  };
  let preparing: Promise<Prepared> | undefined;
  const onWaiting = () => {
    preparing ??= prepare();
    // Its failure is that of the build, unless there is no session at all.
    preparing.catch(() => {});
  };
  const { check, compileCommands: database } = flags;
  using session = await openSession(project, {
    ...{ env, onEvent, onWaiting, check },
    compileCommands:
      database === undefined ? undefined : resolve(database || join(project.root, 'compile_commands.json')),
  });
  const tool = command(session, await preparing!);
  let isBrokenOff = false;
  const status = await runInForeground(
    tool.program,
    tool.args,
    {
      ...tool.env,
      TERMITE_SOCKET: project.socketPath,
      TERMITE_SESSION: session.id,
      TERMITE_TRIFLES: session.hasRules ? '' : '1',
    },
    {
      onSignal: () => {
        isBrokenOff = true;
      },
    },
  );
  const report = await fetchReport(session, { isBrokenOff, say });
  statusLine?.[Symbol.dispose]();
  if (report) publish(report, { say: isSilent ? () => {} : say, file: env['TERMITE_REPORT'] });
  return hasFailed ? { kind: 'exit', code: 125 } : status;
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

function publish(report: Report, { say, file }: { say: Say; file: string | undefined }): void {
  if (report.commands > 0) for (const line of summarize(report)) say(line);
  if (file) writeReport(file, report);
}
