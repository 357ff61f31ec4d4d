import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { FrameReader } from '../protocol/frame.ts';
import { ShellFrame } from '../protocol/frame-types.ts';
import { decodeRun } from '../protocol/run-request.ts';
import { claimSocket } from './claim-socket.ts';
import { ControlConnection } from './control-connection.ts';
import type { Door } from './door.ts';
import { FrameSocket } from './frame-socket.ts';
import type { MasterService } from './master-service.ts';
import { ShellConnection } from './shell-connection.ts';

/**
 * The master's unix sockets: one connection per command, or per command-line tool; which of them, the first frame tells.
 * Who connects before the service is there waits for it.
 */
export class MasterServer implements AsyncDisposable {
  readonly #state: ServerState;
  readonly #doors = new Set<Door>();

  constructor(service: Promise<MasterService>) {
    // Reported by whoever makes it; those who are connected by then are answered one by one.
    service.catch(() => {});
    this.#state = { service, connections: new Set(), running: new Set() };
  }

  /**
   * @param socketPath absolute
   * @param project whose master is found there, for messages
   * @throws AppError `master-running`, `cannot-listen`
   */
  async open(socketPath: string, project = dirname(socketPath)): Promise<Door> {
    const server = createServer((socket) => accept(socket, this.#state));
    try {
      const removeName = await claimSocket(server, socketPath, project);
      const door = {
        withdraw: removeName,
        close: () => {
          if (!this.#doors.delete(door)) return;
          removeName();
          server.close();
        },
      };
      this.#doors.add(door);
      return door;
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** Nobody finds us any more; those who are connected stay so. Idempotent. */
  withdraw(): void {
    for (const door of this.#doors) door.withdraw();
  }

  /**
   * Accepts nobody any more, ends what runs (results that are being applied are finished first), answers what was asked,
   * and hangs up.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const door of this.#doors) door.close();
    const { connections, running } = this.#state;
    const service = await this.#state.service.catch(() => undefined);
    await service?.sessions.closeAll();
    await Promise.all(running);
    for (const connection of connections) connection.end();
    // Who does not read what we say is not waited for.
    const timer = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, 1000);
    await Promise.all([...connections].map(({ closed }) => closed));
    clearTimeout(timer);
  }
}

interface ServerState {
  service: Promise<MasterService>;
  connections: Set<FrameSocket>;
  /** Commands, and questions: never reject. */
  running: Set<Promise<void>>;
}

function accept(socket: Socket, { service, connections, running }: ServerState): void {
  let receive: ((frame: FrameReader) => void) | undefined;
  const track = (work: Promise<void>) => {
    running.add(work);
    void work.then(() => running.delete(work));
  };
  const connection = new FrameSocket(socket, (frame) => {
    if (receive) return receive(frame);
    if (frame.type === ShellFrame.run) {
      const request = decodeRun(frame);
      const shell = new ShellConnection(connection);
      receive = (later) => shell.receive(later);
      return track(service.then((ready) => ready.run(request, shell)).catch(() => shell.cancelled()));
    }
    const control = new ControlConnection(connection, service);
    receive = (later) => track(control.receive(later));
    receive(frame);
  });
  connections.add(connection);
  void connection.closed.then(() => connections.delete(connection));
}
