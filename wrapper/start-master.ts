import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { MasterClient, type MasterEvent, parkedSocketPath } from '../master/master-client.ts';
import type { SessionWishes } from '../protocol/control.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { explainCacheError, makePrivateDir, projectStateDir } from '../runtime/cache-dir.ts';
import { spawnChild } from '../runtime/child-process.ts';
import { circumstances, perBuild } from '../runtime/circumstances.ts';
import type { Project } from './find-socket.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const attempts = 5;
const maxLogBytes = 1024 * 1024;

export interface OpenSession extends Disposable {
  client: MasterClient;
  id: string;
  /** How many commands make should start at once. */
  jobs: number;
  /** The user has rules, which decide about trifles as well. */
  hasRules: boolean;
}

export interface SessionOptions extends SessionWishes {
  env: Environment;
  onEvent: (event: MasterEvent) => void;
  /** Called when the master has something to do until the session is open, and we have not. */
  onWaiting?: () => void;
}

/**
 * Opens a session with the project's master, starting one when there is none, not even one that waits for us. Again when
 * the master that was there ends just then.
 *
 * @throws AppError when no master can be started, with its own words, and when it refuses
 */
export async function openSession(
  project: Project,
  { env, onEvent, onWaiting = () => {}, ...wishes }: SessionOptions,
): Promise<OpenSession> {
  const environment = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const question = { ...wishes, environment, circumstances: circumstances(env) };
  for (let attempt = 1; ; attempt++) {
    let client: MasterClient | undefined;
    try {
      client =
        (await connectToRunning(project, env, onEvent)) ??
        (await startAndConnect(project, { env, onEvent, onWaiting }));
      const asked = client.ask('open-session', question);
      onWaiting();
      const { op: _op, ...session } = await asked;
      return { client, ...session, [Symbol.dispose]: () => client?.[Symbol.dispose]() };
    } catch (error) {
      client?.[Symbol.dispose]();
      const isGone = error instanceof AppError && error.code === 'master-gone';
      if (!isGone || attempt === attempts) throw error;
      await client?.closed;
    }
  }
}

/** One that serves builds already, or waits for ours. */
async function connectToRunning(
  project: Project,
  env: Environment,
  onEvent: (event: MasterEvent) => void,
): Promise<MasterClient | undefined> {
  const serving = await MasterClient.connect(project.socketPath, onEvent);
  // From inside a build, which has namespaces of its own, none that waits would suit.
  if (serving || env['TERMITE_STAGED']) return serving;
  const waiting = await MasterClient.connect(parkedSocketPath(projectStateDir(env, project.root)), onEvent);
  // It may have begun to serve between our two looks.
  return waiting ?? MasterClient.connect(project.socketPath, onEvent);
}

async function startAndConnect(
  project: Project,
  { env, onEvent, onWaiting }: Required<Pick<SessionOptions, 'env' | 'onEvent' | 'onWaiting'>>,
): Promise<MasterClient> {
  if (env['TERMITE_STAGED'])
    throw new AppError(`No master runs for "${project.root}", and none can be started from inside a build`, {
      code: 'master-not-started',
      // It would take the shells of the build for those of the machine.
      hint: 'Start it beforehand: "termite master"',
    });
  const tell = (message: string) => onEvent({ op: 'notice', message });
  const problem = await startMaster(project.root, env, { tell, onWaiting });
  // Also when ours did not start: somebody else's may have been quicker, and be waiting by now.
  const client = await connectToRunning(project, env, onEvent);
  if (client) return client;
  if (problem === undefined) throw new AppError('The master has ended at once', { code: 'master-gone' });
  const [message = '', ...hints] = problem.split('\n');
  throw new AppError(message.replace(/^termite: /, ''), {
    code: 'master-not-started',
    ...(hints.length > 0 ? { hint: hints.join('\n').trim() } : {}),
  });
}

/**
 * Starts a master in a session of its own, which outlives a Ctrl-C.
 *
 * @param events.tell given what it says before it is ready
 * @param events.onWaiting called when its process has begun
 * @returns why it did not get ready, in its own words; undefined when it did, or another master was there before it
 */
async function startMaster(
  root: string,
  env: Environment,
  { tell, onWaiting }: { tell: (message: string) => void; onWaiting: () => void },
): Promise<string | undefined> {
  const logPath = join(projectStateDir(env, root), 'master.log');
  const log = openLog(logPath, env);
  try {
    const logStart = fstatSync(log).size;
    const child = await spawnChild(
      process.execPath,
      [join(import.meta.dirname, 'main.js'), 'master', '--root', root, '--until-idle'],
      {
        cwd: '/',
        env: Object.fromEntries(Object.entries(env).filter(([name]) => !perBuild.includes(name))),
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: log,
      },
    );
    onWaiting();
    let problem: string | undefined;
    for await (const line of createInterface(child.stdout)) {
      if (line.startsWith('ready')) return undefined;
      if (line.startsWith('failed: ')) problem = JSON.parse(line.slice('failed: '.length));
      else tell(line);
    }
    await child.ended;
    if (problem !== undefined) return problem;
    return readFileSync(fsPath(logPath)).subarray(logStart).toString().trim() || undefined;
  } finally {
    closeSync(log);
  }
}

/** Begins anew when it has become long. @throws AppError `cannot-use-cache` */
function openLog(path: string, env: Environment): number {
  try {
    makePrivateDir(dirname(path));
    const log = openSync(fsPath(path), 'a', 0o600);
    if (fstatSync(log).size > maxLogBytes) ftruncateSync(log);
    return log;
  } catch (error) {
    throw explainCacheError(error, env);
  }
}
