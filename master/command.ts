import { resolve } from 'node:path';
import type { RunRequest } from '../protocol/run-request.ts';
import type { Caller, LocalRun } from './caller.ts';
import { ccacheNotice, withoutCcache } from './ccache.ts';
import { countedContext, shownContext } from './counted-context.ts';
import { countedEnvironment } from './counted-environment.ts';
import { editEnvironment, environmentEdits } from './environment-rule.ts';
import type { Question, StdinUse } from './fingerprint.ts';
import type { InstalledPrograms } from './installed-programs.ts';
import { jobArguments, jobEnvironment, plainEnvironmentEdits } from './job-environment.ts';
import { knownVariables } from './known-programs.ts';
import type { Treatment } from './local-rule.ts';
import type { Attempts } from './next-step.ts';
import { commandLine, type Placement } from './placement.ts';
import type { RunningCommand, Session } from './session.ts';
import { simpleCommands } from './shell-words.ts';
import { withShownFolder } from './shown-folder.ts';
import { StdinReplay } from './stdin-replay.ts';
import { timeUseOf } from './time-use.ts';
import { isToolchainOnly } from './toolchain.ts';
import type { Rival } from './verifier.ts';

/** What stays the same over all attempts to run one command. */
export interface Command {
  /** As its rule wants it to be. */
  request: RunRequest;
  treatment: Treatment;
  question: Question;
  line: string;
  /** How the caller is to run it, if it comes to that. */
  local: Omit<LocalRun, 'holdsSlot'>;
  caller: Caller;
  session: Session;
  running: RunningCommand;
  stdin: StdinReplay;
  /** It wanted to read although there was nothing. */
  hasReadEmptyStdin: boolean;
  /** What its result is to be compared with, see `Session.check`. */
  rival: Rival | undefined;
  attempts: Attempts;
  /** Executors that have failed it. */
  avoid: Set<string>;
  /** Set when its outputs begin to be applied: then it must never run again. */
  isCommitting: boolean;
}

interface NewCommandOptions extends Pick<Command, 'caller' | 'session' | 'running'> {
  projectRoot: string;
  ownShell: string;
  programs: Pick<InstalledPrograms, 'isInstalled'>;
}

/** A command that nothing has been done for yet, as its rule wants it to be. */
export function newCommand(asked: RunRequest, placement: Placement, options: NewCommandOptions): Command {
  const { caller, session, running } = options;
  const { treatment } = placement;
  const { hasEmptyStdin } = treatment;
  const envEdits = environmentEdits(asked.env, treatment.env);
  const env = editEnvironment(asked.env, envEdits);
  const ccacheOff = placement.where === 'remote' ? withoutCcache(commandLine(asked), env) : undefined;
  if (ccacheOff !== undefined) session.notice('ccache', ccacheNotice);
  const request = {
    ...asked,
    context: shownContext(asked.context),
    env: ccacheOff === undefined ? env : [...env, ccacheOff],
    isStdinEmpty: asked.isStdinEmpty || hasEmptyStdin,
  };
  const isRecursive = placement.where === 'local' && placement.isRecursive;
  const shells = { own: options.ownShell, real: request.shell };
  const plainEdits = isRecursive ? [] : plainEnvironmentEdits(request.env, shells);
  return {
    ...{ request, treatment, caller, session, running },
    question: questionOf(request, treatment, options),
    line: commandLine(request),
    local: { isRecursive, hasEmptyStdin, envEdits: [...envEdits, ...plainEdits] },
    stdin: new StdinReplay((maxBytes) => caller.readStdin(maxBytes)),
    hasReadEmptyStdin: false,
    rival: undefined,
    attempts: { retries: 0, conflicts: 0 },
    avoid: new Set(),
    isCommitting: false,
  };
}

/** Numbers only: the user may have no name here, as in a container. */
const user = { uid: process.getuid!(), gid: process.getgid!() };

function questionOf(
  request: RunRequest,
  treatment: Treatment,
  { session, projectRoot, ownShell, programs }: NewCommandOptions,
): Question {
  const shells = { own: ownShell, real: request.shell };
  const home = valueIn('HOME', request.env);
  const argv = jobArguments(request.isExec ? request.argv : [request.shell, ...request.argv], shells);
  const env = jobEnvironment(request.env, shells);
  const line = shellLine(argv);
  const [name = '', ...args] = argv;
  const commands = line === undefined ? [{ name, args }] : simpleCommands(line);
  const path = valueIn('PATH', request.env);
  const isInstalled = (word: string) => programs.isInstalled(word, path);
  const canMatter = knownVariables({ argv, env, commands, line }, isInstalled);
  const isInherited = (entry: string) => session.inherited(entry);
  // A program that is run without a shell, and is not known, sees what is there.
  const shown = line !== undefined || canMatter ? withShownFolder(env, request.cwd) : env;
  return {
    projectRoot,
    argv,
    env: countedEnvironment(shown, { rule: treatment.env, canMatter, isInherited }),
    timeUse: canMatter ? 'unused' : timeUseOf(commands),
    cwd: request.cwd,
    umask: request.umask,
    uid: user.uid,
    gid: user.gid,
    home: home.startsWith('/') ? resolve(home) : '',
    mergeOutput: request.mergeOutput,
    network: treatment.hasNetwork,
    timeoutMs: treatment.timeoutMs,
    context: countedContext(request),
  };
}

/** Of `[shell, '-c', line]`, with whatever letters before the `c`. */
function shellLine(argv: readonly string[]): string | undefined {
  return argv.length === 3 && /^-[A-Za-z]*c$/.test(argv[1]!) ? argv[2] : undefined;
}

/** "" for a variable that is not set. */
function valueIn(name: string, env: readonly string[]): string {
  return env.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

/**
 * A reader of its stdin for one attempt. Where nothing can be read it notes that this was tried; a terminal it leaves alone,
 * and aborts the attempt.
 */
export function stdinOf(
  command: Command,
  toTerminal: AbortController,
): (maxBytes: number) => Promise<Uint8Array> {
  const { isStdinEmpty, isStdinTerminal } = command.request;
  if (!isStdinEmpty && !isStdinTerminal) return command.stdin.attempt();
  return async () => {
    if (isStdinEmpty) command.hasReadEmptyStdin = true;
    else toTerminal.abort();
    return new Uint8Array();
  };
}

/** What a result owes to stdin; undefined: what it has read there. */
export function stdinUse({ request, stdin, hasReadEmptyStdin }: Command): StdinUse | undefined {
  if (request.isStdinEmpty) return hasReadEmptyStdin ? 'empty' : 'unread';
  return stdin.isUntouched ? 'unread' : undefined;
}

/** Whether its failure in a sandbox is believed: that of tools that are known, or where a rule says so. */
export function mayFail({ request, treatment, session }: Command): boolean {
  return treatment.believesFailure || session.check?.kind === 'twice' || isToolchainOnly(request);
}

/** Whether a result with an exit status other than 0 may be used again. */
export function acceptsFailure({ treatment }: Command): boolean {
  return treatment.cache === 'failures';
}
