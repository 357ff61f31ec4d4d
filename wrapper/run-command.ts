import { fstatSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { type MasterEvent, type RunEnd, runOnMaster } from '../master/master-client.ts';
import type { Check } from '../protocol/control.ts';
import type { RunRequest } from '../protocol/run-request.ts';
import { AppError, explainError } from '../runtime/app-error.ts';
import { currentDir } from '../runtime/byte-path.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { say } from '../runtime/say.ts';
import { checkOf } from './check-flags.ts';
import { suitable } from './choose-project.ts';
import type { Environment } from './command.ts';
import { type Project, projectAround, projectAt } from './find-socket.ts';
import { runInForeground } from './foreground.ts';
import { inheritedSignals } from './inherited-signals.ts';
import { Input } from './input.ts';
import { ownContext } from './own-context.ts';
import { splitOwnFlags } from './own-flags.ts';
import { type OpenSession, openSession } from './start-master.ts';
import { isUsersFault } from './users-fault.ts';
import { writeReport } from './write-report.ts';

export const runHelp = `termite run [--root DIR] [--verify[=PERCENT] | --twice] CMD [ARGS…]
Runs one program, without a shell, as a command of a build would be.

  --root DIR          Root of the project: what the program may change (default: where a master runs, else the current folder)
  --verify[=PERCENT]  Runs it, or runs it in so many percent of the cases, although its result is cached, and compares
  --twice             Runs it twice on the same files, without cache, tells whether it did the same, and keeps what the
                      first run did; ends as the program does, or with 1 when it did not do the same
  --help              Prints this
`;

const cancelling = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const cancelTimeoutMs = 3_000;

/** @returns the program's own end, or 125 for our trouble */
export async function runCommand(argv: readonly string[], env: Environment): Promise<ExitStatus> {
  const { flags, rest } = splitOwnFlags(argv, {
    ...{ command: 'termite run', valued: ['root'], optional: ['verify'], plain: ['twice', 'help'] },
  });
  if (flags.has('help')) {
    process.stdout.write(runHelp);
    return { kind: 'exit', code: 0 };
  }
  const [program, ...args] = rest[0] === '--' ? rest.slice(1) : rest;
  if (program === undefined)
    throw new AppError('"termite run": a command is missing', {
      code: 'bad-arguments',
      category: 'caller',
      hint: 'See "termite run --help"',
    });
  const check = checkOf(flags, 'termite run');
  const begun = await beginUnlessInVain(flags.get('root'), { env, check });
  if (!begun) return runHere([program, ...args], env, 'inherit');
  using session = begun.session;
  const request = requestOf([program, ...args], { ...env, TERMITE_SESSION: session.id });
  const input = new Input(process.stdin);
  const { end, signal } = await runOnProject(begun.project.socketPath, request, input);
  // Closes the session, and with it a master that was started for it. One that is gone has told so already.
  const report = await session.client.ask('report', { isBrokenOff: signal !== undefined }).then(
    (answer) => answer.report,
    () => undefined,
  );
  if (report && env['TERMITE_REPORT']) writeReport(env['TERMITE_REPORT'], report, say);
  if (signal !== undefined) return { kind: 'signal', signal };
  if (check?.kind === 'twice' && !report?.verified) throw notComparable();
  if (check?.kind === 'twice' && report?.mismatched) return { kind: 'exit', code: 1 };
  switch (end?.kind) {
    case 'exit':
    case 'signal':
      return end;
    case 'local':
      return await runHere(
        [program, ...args],
        edited(env, end.envEdits),
        end.hasEmptyStdin ? 'ignore' : input.rest(),
      );
    default:
      if (end?.kind === 'master-gone' && end.isCommitting)
        throw new AppError('The master died while applying outputs', {
          code: 'master-gone',
          hint: 'Run the command again',
        });
      say('the master is gone: running locally');
      return await runHere([program, ...args], env, input.rest());
  }
}

/**
 * The session to run in; undefined, after saying why, where the program has to do without us.
 *
 * @throws AppError for what the user has got wrong, and when there can be nothing to compare
 */
async function beginUnlessInVain(
  root: string | undefined,
  { env, check }: { env: Environment; check: Check | undefined },
): Promise<{ project: Project; session: OpenSession } | undefined> {
  try {
    const project = root === undefined ? suitable(projectAround('.', env)) : projectAt(root, env);
    const onEvent = (event: MasterEvent) => {
      if (event.op !== 'progress') say(event.message);
    };
    return { project, session: await openSession(project, { env, check, onEvent }) };
  } catch (error) {
    if (isUsersFault(error) || check?.kind === 'twice') throw error;
    say(`running without Termite: ${explainError(error)}`);
    return undefined;
  }
}

/** By way of the shell, which knows what is no program: 127 where there is none, 126 where it may not be run, a script without `#!`. */
function runHere(
  argv: readonly string[],
  env: Environment,
  stdin: 'ignore' | 'inherit' | Readable,
): Promise<ExitStatus> {
  return runInForeground('/bin/sh', ['-c', 'exec "$@"', 'sh', ...argv], env, { stdin });
}

function notComparable(): AppError {
  return new AppError('Cannot compare two runs: the command was not run by an executor twice', {
    ...{ code: 'not-comparable', category: 'caller' },
    hint: 'A rule keeps it here, or it needs what no sandbox has',
  });
}

/** Plays the part of the shell: output out, input in, signals to the command. */
async function runOnProject(
  socketPath: string,
  request: RunRequest,
  input: Input,
): Promise<{ end: RunEnd | undefined; signal: number | undefined }> {
  const cancel = new AbortController();
  let signal: number | undefined;
  let giveUp: (() => void) | undefined;
  const patience = new Promise<undefined>((resolve) => {
    giveUp = () => resolve(undefined);
  });
  const onSignal = (name: NodeJS.Signals) => {
    signal ??= constants.signals[name];
    cancel.abort(signal);
    setTimeout(() => giveUp?.(), cancelTimeoutMs).unref();
  };
  for (const name of cancelling) process.on(name, onSignal);
  try {
    const run = runOnMaster(socketPath, request, {
      write: (stream, chunk) => void process[stream].write(chunk),
      readStdin: (maxBytes) => input.read(maxBytes),
      signal: cancel.signal,
    });
    const end = await Promise.race([run, patience]);
    return { end, signal };
  } finally {
    for (const name of cancelling) process.off(name, onSignal);
  }
}

/** @param edits `K=V` for what is set, `K` for what is taken away */
function edited(env: Environment, edits: readonly string[]): Environment {
  const changes = edits.map((edit) => {
    const end = edit.indexOf('=');
    return end < 0 ? [edit, undefined] : [edit.slice(0, end), edit.slice(end + 1)];
  });
  return { ...env, ...Object.fromEntries(changes) };
}

function requestOf(argv: string[], env: Environment): RunRequest {
  const stdin = describeDescriptor(0);
  const stdout = describeDescriptor(1);
  return {
    argv,
    shell: '/bin/sh',
    cwd: currentDir(),
    env: Object.entries({ ...env, TERMITE_SIGNALS: undefined }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    ),
    umask: process.umask(),
    mergeOutput: stdout !== undefined && stdout === describeDescriptor(2),
    hasJobserver: false,
    isStdinEmpty: stdin === undefined || stdin === nullDevice,
    isStdinTerminal: process.stdin.isTTY === true,
    isExec: true,
    processId: 0,
    context: ownContext(inheritedSignals(env)),
  };
}

/** Tells open files apart as far as fstat does; undefined for one that is closed. */
function describeDescriptor(fd: number): string | undefined {
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && stats.rdev === 0x103
      ? nullDevice
      : `${stats.dev} ${stats.ino} ${stats.mode}`;
  } catch {
    return undefined;
  }
}

/** Its device number is 1:3. Source: devices.txt of the kernel. */
const nullDevice = '/dev/null';
