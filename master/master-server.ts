import { createServer, type Server, type Socket } from 'node:net';
import type { FrameReader } from '../protocol/frame.ts';
import { ShellFrame } from '../protocol/frame-types.ts';
import { decodeRun } from '../protocol/run-request.ts';
import { claimSocket } from './claim-socket.ts';
import { ControlConnection } from './control-connection.ts';
import { FrameSocket } from './frame-socket.ts';
import type { MasterService } from './master-service.ts';
import { ShellConnection } from './shell-connection.ts';

/**
 * The master's unix socket: one connection per command, or per command-line tool; which of them, the first frame tells.
 * Who connects before the service is there waits for it.
 */
export class MasterServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #service: Promise<MasterService>;
  readonly #removeName: () => void;
  readonly #connections: Set<FrameSocket>;
  readonly #running: Set<Promise<void>>;

  /**
   * @param socketPath absolute
   * @throws AppError `master-running`, `cannot-listen`
   */
  static async listen(socketPath: string, service: Promise<MasterService>): Promise<MasterServer> {
    // Reported by whoever makes it; those who are connected by then are answered one by one.
    service.catch(() => {});
    const connections = new Set<FrameSocket>();
    const running = new Set<Promise<void>>();
    const server = createServer((socket) => accept(socket, { service, connections, running }));
    try {
      const removeName = await claimSocket(server, socketPath);
      return new MasterServer({ server, service, removeName, connections, running });
    } catch (error) {
      server.close();
      throw error;
    }
  }

  private constructor(parts: {
    server: Server;
    service: Promise<MasterService>;
    removeName: () => void;
    connections: Set<FrameSocket>;
    running: Set<Promise<void>>;
  }) {
    this.#server = parts.server;
    this.#service = parts.service;
    this.#removeName = parts.removeName;
    this.#connections = parts.connections;
    this.#running = parts.running;
  }

  /** Takes the socket's name away: nobody finds us any more, those who are connected stay so. Idempotent. */
  withdraw(): void {
    this.#removeName();
  }

  /** Accepts nobody any more, ends what runs (results that are being applied are finished first) and hangs up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.withdraw();
    this.#server.close();
    const service = await this.#service.catch(() => undefined);
    await service?.sessions.closeAll();
    await Promise.all(this.#running);
    for (const connection of this.#connections) connection.end();
    // Who does not read what we say is not waited for.
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, 1000);
    await Promise.all([...this.#connections].map(({ closed }) => closed));
    clearTimeout(timer);
  }
}

interface ServerState {
  service: Promise<MasterService>;
  connections: Set<FrameSocket>;
  running: Set<Promise<void>>;
}

function accept(socket: Socket, { service, connections, running }: ServerState): void {
  let receive: ((frame: FrameReader) => void) | undefined;
  const connection = new FrameSocket(socket, (frame) => {
    if (receive) return receive(frame);
    if (frame.type === ShellFrame.run) {
      const request = decodeRun(frame);
      const shell = new ShellConnection(connection);
      receive = (later) => shell.receive(later);
      const run = service
        .then((ready) => ready.run(request, shell))
        .catch(() => shell.cancelled())
        .finally(() => running.delete(run));
      running.add(run);
      return;
    }
    const control = new ControlConnection(connection, service);
    receive = (later) => control.receive(later);
    receive(frame);
  });
  connections.add(connection);
  void connection.closed.then(() => connections.delete(connection));
}
