import type { Socket } from 'node:net';
import type { ControlReply, ControlRequest } from '../protocol/control.ts';
import { type FrameReader, FrameWriter } from '../protocol/frame.ts';
import { LocalFlag, ShellFrame } from '../protocol/frame-types.ts';
import { encodeRun, type RunRequest } from '../protocol/run-request.ts';
import { AppError } from '../runtime/app-error.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { connectSocket } from './connect-socket.ts';
import { FrameSocket } from './frame-socket.ts';

export { resolveRoot } from './resolve-root.ts';
export type * from './rule-book.ts';
export { parkedSocketPath, rootOfSocket, servingSocketPath, socketName } from './socket-path.ts';

/** Loaded only when it is asked for: most commands explain nothing. */
export const loadRuleBook = () => import('./rule-book.ts');

type Reply<Op extends ControlReply['op']> = Extract<ControlReply, { op: Op }>;
export type MasterEvent = Reply<'progress' | 'notice' | 'failed'>;

/** What each question is answered with. */
const answers = {
  'open-session': 'session',
  report: 'report',
  status: 'status',
  'cache-statistics': 'cache',
  'cache-collect': 'cache',
  'cache-verify': 'cache',
  'cache-clear': 'cache',
  stop: 'stopping',
} as const satisfies Record<ControlRequest['op'], ControlReply['op']>;
type Answers = typeof answers;

/** A connection to a master, for questions about it and its builds. Close it to end the session that it opened. */
export class MasterClient implements Disposable {
  readonly #socket: FrameSocket;
  readonly #onEvent: (event: MasterEvent) => void;
  #waiting: { resolve(reply: ControlReply): void; reject(error: AppError): void } | undefined;

  /**
   * @param onEvent what the master says about the session without being asked
   * @returns undefined when nobody listens there
   */
  static async connect(
    socketPath: string,
    onEvent: (event: MasterEvent) => void = () => {},
  ): Promise<MasterClient | undefined> {
    const socket = await connectSocket(socketPath);
    return socket && new MasterClient(socket, onEvent);
  }

  private constructor(socket: Socket, onEvent: (event: MasterEvent) => void) {
    this.#onEvent = onEvent;
    this.#socket = new FrameSocket(socket, (frame) => this.#receive(frame));
    void this.#socket.closed.then(() => this.#waiting?.reject(masterGone()));
  }

  /** Resolves when the master has hung up. */
  get closed(): Promise<void> {
    return this.#socket.closed;
  }

  /**
   * Asks one question; one at a time.
   *
   * @throws AppError `master-gone` when it hangs up, `master-refused` with its words when it says no, `other-version`
   */
  async ask<Op extends ControlRequest['op']>(
    op: Op,
    details: Omit<Extract<ControlRequest, { op: Op }>, 'op'> | undefined = undefined,
  ): Promise<Reply<Answers[Op]>> {
    if (!this.#socket.isOpen) throw masterGone();
    const json = Buffer.from(JSON.stringify({ op, ...details }));
    const reply = await new Promise<ControlReply>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.send(new FrameWriter(ShellFrame.control).bytes(json).finish());
    }).finally(() => {
      this.#waiting = undefined;
    });
    if (reply.op !== answers[op])
      throw new AppError(`The master answers "${op}" with "${reply.op}": it is of another version`, {
        ...{ code: 'other-version', hint: 'End it: "termite stop", or kill its process' },
      });
    return reply as Reply<Answers[Op]>;
  }

  [Symbol.dispose](): void {
    this.#socket.end();
  }

  /** Replies are believed as they are: who listens at a socket of ours runs our code, and checking would take as long as make. */
  #receive(frame: FrameReader): void {
    const reply = JSON.parse(frame.bytes().toString('utf8')) as ControlReply;
    if (reply.op === 'progress' || reply.op === 'notice' || reply.op === 'failed') this.#onEvent(reply);
    else if (reply.op === 'error') this.#waiting?.reject(refused(reply.message));
    else this.#waiting?.resolve(reply);
  }
}

/** How a command that a master was asked to run ended; `local`: the caller is to run it itself. */
export type RunEnd =
  | ExitStatus
  | { kind: 'local'; hasEmptyStdin: boolean; envEdits: string[] }
  | { kind: 'cancelled' }
  | { kind: 'master-gone'; isCommitting: boolean };

export interface RunHandlers {
  /** Resolves when more can be taken. */
  write(stream: 'stdout' | 'stderr', chunk: Uint8Array): void;
  /** At most `maxBytes`; empty at the end. */
  readStdin(maxBytes: number): Promise<Uint8Array>;
  /** Aborted with the number of a signal as reason: cancels the command. */
  signal: AbortSignal;
}

/** Has a master run one command. @returns undefined when nobody listens there */
export async function runOnMaster(
  socketPath: string,
  request: RunRequest,
  handlers: RunHandlers,
): Promise<RunEnd | undefined> {
  const connected = await connectSocket(socketPath);
  if (!connected) return undefined;
  return await new Promise((resolve) => {
    let isCommitting = false;
    const socket = new FrameSocket(connected, (frame) => {
      switch (frame.type) {
        case ShellFrame.local:
          return resolve({
            kind: 'local',
            hasEmptyStdin: (frame.u32() & LocalFlag.emptyStdin) !== 0,
            envEdits: frame.list(() => frame.text()),
          });
        case ShellFrame.stdout:
          return handlers.write('stdout', frame.rest());
        case ShellFrame.stderr:
          return handlers.write('stderr', frame.rest());
        case ShellFrame.committing:
          isCommitting = true;
          return;
        case ShellFrame.exited:
          return resolve(
            frame.u32() === 0 ? { kind: 'exit', code: frame.u32() } : { kind: 'signal', signal: frame.u32() },
          );
        case ShellFrame.cancelled:
          return resolve({ kind: 'cancelled' });
        case ShellFrame.wantStdin: {
          const id = frame.u32();
          void handlers.readStdin(frame.u32()).then((chunk) => {
            socket.send(new FrameWriter(ShellFrame.stdin, chunk.length + 8).u32(id).bytes(chunk).finish());
          });
          return;
        }
        default:
          throw new RangeError(`Unexpected frame 0x${frame.type.toString(16)}`);
      }
    });
    void socket.closed.then(() => resolve({ kind: 'master-gone', isCommitting }));
    handlers.signal.addEventListener('abort', () => {
      socket.send(new FrameWriter(ShellFrame.cancel).u32(Number(handlers.signal.reason)).finish());
    });
    socket.send(encodeRun(request));
  });
}

const masterGone = () => new AppError('The master is gone', { code: 'master-gone' });

function refused(message: string): AppError {
  const [first = '', ...hints] = message.split('\n');
  const hint = hints.join('\n').trim();
  return new AppError(first, {
    code: 'master-refused',
    category: 'caller',
    ...(hint === '' ? {} : { hint }),
  });
}
