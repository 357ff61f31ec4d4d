import { type ControlReply, type ControlRequest, controlRequestSchema } from '../protocol/control.ts';
import { type FrameReader, FrameWriter } from '../protocol/frame.ts';
import { ShellFrame } from '../protocol/frame-types.ts';
import { explainError } from '../runtime/app-error.ts';
import { exhaustive } from '../runtime/exhaustive.ts';
import { costlyVariables } from './costly-variables.ts';
import type { FrameSocket } from './frame-socket.ts';
import type { MasterService } from './master-service.ts';
import type { Session } from './session.ts';

/** The command-line tool on the other end of a connection. The session it opens lasts as long as the connection. */
export class ControlConnection {
  readonly #socket: FrameSocket;
  readonly #service: Promise<MasterService>;
  #session: Session | undefined;
  /** Answers go out in the order of the questions. */
  #last: Promise<void> = Promise.resolve();

  constructor(socket: FrameSocket, service: Promise<MasterService>) {
    this.#socket = socket;
    this.#service = service;
    void socket.closed.then(async () => {
      await this.#last;
      if (this.#session) await (await service).sessions.close(this.#session);
    });
  }

  /**
   * @returns resolves when it is answered; never rejects
   * @throws RangeError or ZodError for what is no question; the connection has to end then
   */
  receive(frame: FrameReader): Promise<void> {
    if (frame.type !== ShellFrame.control)
      throw new RangeError(`Unexpected frame 0x${frame.type.toString(16)}`);
    const request = controlRequestSchema.parse(JSON.parse(frame.bytes().toString('utf8')));
    const service = this.#service;
    this.#last = this.#last.then(async () => {
      try {
        await this.#answer(request);
      } catch (error) {
        this.#reply({ op: 'error', message: explainError(error) });
        if (request.op === 'open-session')
          await service.then(
            ({ sessions }) => sessions.refused(),
            () => {},
          );
      }
    });
    return this.#last;
  }

  async #answer(request: ControlRequest): Promise<void> {
    const service = await this.#service;
    switch (request.op) {
      case 'open-session': {
        const { op: _op, circumstances, ...wishes } = request;
        const tell = (message: string) => this.#reply({ op: 'notice', message });
        // Otherwise we end: whoever asks is told so by our hanging up.
        if (!(await service.admit(circumstances, tell))) return;
        if (!this.#socket.isOpen) return service.sessions.refused();
        this.#session ??= service.openSession((reply) => this.#reply(reply), wishes);
        const { jobCount, hasRules } = service;
        return this.#reply({ op: 'session', id: this.#session.id, jobs: jobCount, hasRules });
      }
      case 'report': {
        const session = this.#session;
        if (!session) return this.#reply({ op: 'error', message: 'No session is open' });
        await session.finish(request);
        for (const message of costlyVariables(session.records)) session.notice(message, message);
        // Before the answer: a master that is not needed any more is out of the way when the build returns.
        await service.sessions.close(session);
        this.#session = undefined;
        return this.#reply({ op: 'report', report: session.report() });
      }
      case 'status':
        return this.#reply({ op: 'status', ...service.status() });
      case 'cache-statistics':
      case 'cache-collect':
      case 'cache-verify':
      case 'cache-clear':
        return this.#reply(await service.cache.answer(request));
      case 'stop':
        this.#reply({ op: 'stopping' });
        return service.stop();
      default:
        exhaustive(request);
    }
  }

  #reply(reply: ControlReply): void {
    const json = Buffer.from(JSON.stringify(reply));
    this.#socket.send(new FrameWriter(ShellFrame.controlReply, json.length + 4).bytes(json).finish());
  }
}
