import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, isIP, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import { AppError } from './app-error.ts';
import { describeIssue } from './describe-issue.ts';
import { encodeHttpError } from './http-error.ts';
import { encodeJson } from './json.ts';
import { secureServer } from './secure-connection.ts';
import type { Token } from './token.ts';
import { decodeUrlBytes } from './url-bytes.ts';

/** What a route answers; absent `status`: 200, and 204 without content. */
export type HttpReply =
  | { status?: number; json: unknown }
  | { status?: number; bytes: Uint8Array }
  /** `sizeBytes` where it is known beforehand. A stream that throws cuts the connection. */
  | { status?: number; stream: AsyncIterable<Uint8Array>; sizeBytes?: number }
  | { status?: number };

export interface Route {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** E.g. `/blobs/:hash/:size`; a component after ":" is a parameter. */
  path: string;
  /** Throws AppError or system errors, which reach the client as they are. */
  handle(call: HttpCall): Promise<HttpReply> | HttpReply;
}

const defaultJsonLimitBytes = 16 * 1024 * 1024;

/** What a peer can have of a server, whatever it does. */
export interface HttpLimits {
  maxConnections: number;
  /** For proving that it may be here, and for the head of a request. */
  headMs: number;
  /** How long it may say nothing within a body, or take nothing of an answer. */
  silenceMs: number;
  /** For the rest of a body of which nobody wants to know. */
  discardMs: number;
}

const defaultLimits: HttpLimits = {
  maxConnections: 1024,
  headMs: 10_000,
  silenceMs: 60_000,
  discardMs: 10_000,
};

/** One request, as a route sees it. */
export class HttpCall {
  readonly params: Readonly<Record<string, string>>;
  /** Aborted when the client goes away before it has its answer, and when the server closes and cannot wait longer. */
  readonly signal: AbortSignal;
  readonly #request: IncomingMessage;
  readonly #query: string;
  readonly #silenceMs: number;

  constructor(
    request: IncomingMessage,
    options: { params: Record<string, string>; query: string; signal: AbortSignal; silenceMs: number },
  ) {
    this.#request = request;
    this.params = options.params;
    this.signal = options.signal;
    this.#query = options.query;
    this.#silenceMs = options.silenceMs;
  }

  /** A parameter after "?", with its bytes kept (runtime/url-bytes.ts). @throws AppError `bad-request` when absent */
  query(name: string): string {
    for (const part of this.#query.split('&')) {
      const [key, value] = part.split('=', 2);
      if (key === name) return decodeUrlBytes(value ?? '');
    }
    throw badRequest(`parameter "${name}" is missing`);
  }

  /** The body as it arrives. A route that does not want it, or not all of it, can still answer. */
  async *body(): AsyncGenerator<Buffer> {
    const { socket } = this.#request;
    socket.setTimeout(this.#silenceMs);
    try {
      yield* this.#request.iterator({ destroyOnReturn: false });
    } finally {
      socket.setTimeout(0);
    }
  }

  /** The whole body. @throws AppError `bad-request` when it is longer */
  async bytes({ limitBytes }: { limitBytes: number }): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.body()) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limitBytes) throw badRequest(`the body is longer than ${limitBytes} bytes`);
    }
    return Buffer.concat(chunks, length);
  }

  /** The body as JSON of this form. @throws AppError `bad-request` for anything else, and beyond 16 MiB unless told */
  async json<S extends z.ZodType>(
    schema: S,
    { limitBytes = defaultJsonLimitBytes } = {},
  ): Promise<z.output<S>> {
    const text = (await this.bytes({ limitBytes })).toString();
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw badRequest('the body is no JSON', cause);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw badRequest(`the body has another form: ${describeIssue(parsed.error)}`);
    return parsed.data;
  }
}

/**
 * A small HTTPS server over a table of routes, for loopback only, and for peers with the same token only: others do not get as far
 * as a request. Errors are answered as JSON {code, message, category}, see runtime/http-error.ts.
 */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #routes: { route: Route; pattern: RegExp }[];
  readonly #running = new Map<AbortController, Promise<void>>();
  /** All connections, also those that have not shown yet that they may be here. */
  readonly #sockets = new Set<Socket>();
  readonly #answers = new WeakMap<Socket, ServerResponse>();
  readonly #limits: HttpLimits;
  #closing: Promise<void> | undefined;

  /** Starts to listen. @throws AppError `not-loopback` for any address that others could reach, `cannot-listen` */
  static async listen(
    routes: readonly Route[],
    token: Token,
    { host = '127.0.0.1', port = 0, ...limits }: { host?: string; port?: number } & Partial<HttpLimits> = {},
  ): Promise<HttpServer> {
    if (!isLoopback(host)) {
      throw new AppError(`Cannot listen on "${host}": only loopback addresses are allowed`, {
        code: 'not-loopback',
        category: 'caller',
        hint: 'Other machines do not have the token of this one, and a later version brings keys for them: use 127.0.0.1',
      });
    }
    const server = new HttpServer(routes, token, { ...defaultLimits, ...limits });
    try {
      server.#server.listen({ host, port });
      await once(server.#server, 'listening');
    } catch (cause) {
      throw new AppError(`Cannot listen on ${host}:${port}`, {
        code: 'cannot-listen',
        category: 'caller',
        cause,
      });
    }
    return server;
  }

  private constructor(routes: readonly Route[], token: Token, limits: HttpLimits) {
    this.#limits = limits;
    this.#routes = routes.map((route) => ({ route, pattern: compile(route.path) }));
    const { headMs, maxConnections } = limits;
    const options = {
      ...secureServer(token),
      handshakeTimeout: headMs,
      headersTimeout: headMs,
      connectionsCheckingInterval: Math.ceil(headMs / 4),
      // A body may take as long as the content it brings.
      requestTimeout: 0,
      keepAliveTimeout: 60_000,
    };
    this.#server = createServer(options, (request, response) => {
      const aborter = new AbortController();
      const done = this.#serve(request, response, aborter).finally(() => this.#running.delete(aborter));
      this.#running.set(aborter, done);
    });
    this.#server.maxConnections = maxConnections;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `https://127.0.0.1:1234`, for HttpClient. */
  get url(): string {
    const { address, family } = this.#server.address() as AddressInfo;
    return `https://${family === 'IPv6' ? `[${address}]` : address}:${this.port}`;
  }

  /** Stops listening, lets running requests finish until the deadline, then aborts them. Idempotent. */
  close({ deadlineMs = 3_000 } = {}): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const aborter of this.#running.keys()) aborter.abort();
      this.#hangUp();
    }, deadlineMs);
    await Promise.all(this.#running.values());
    clearTimeout(timer);
    this.#hangUp();
    await closed;
  }

  #hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse, aborter: AbortController): Promise<void> {
    const { socket } = request;
    const { silenceMs, discardMs } = this.#limits;
    response.once('close', () => {
      if (!response.writableFinished) aborter.abort();
    });
    // Who does not wait for an answer could have us work on any number of requests.
    if (this.#answers.get(socket)?.writableEnded === false) return void socket.destroy();
    this.#answers.set(socket, response);
    const answer = (reply: HttpReply) => {
      socket.setTimeout(silenceMs);
      return send(response, reply);
    };
    try {
      const [path, query = ''] = request.url!.split('?', 2);
      const { route, params } = this.#find(request.method!, path!);
      await answer(
        await route.handle(new HttpCall(request, { params, query, signal: aborter.signal, silenceMs })),
      );
    } catch (error) {
      if (response.headersSent || response.destroyed) {
        response.destroy();
      } else {
        const { status, body } = encodeHttpError(error);
        await answer({ status, json: body }).catch(() => response.destroy());
      }
    }
    // What the route left of the body stands before the next request on this connection.
    request.resume();
    if (!request.complete) setTimeout(() => request.complete || request.destroy(), discardMs).unref();
  }

  #find(method: string, path: string): { route: Route; params: Record<string, string> } {
    for (const { route, pattern } of this.#routes) {
      const match = route.method === method ? pattern.exec(path) : null;
      if (!match) continue;
      const params = Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeUrlBytes(value)]);
      return { route, params: Object.fromEntries(params) };
    }
    throw new AppError(`No such route: ${method} ${path}`, { code: 'no-route', category: 'not-found' });
  }
}

async function send(response: ServerResponse, reply: HttpReply): Promise<void> {
  // The client is gone: nothing more will be heard of this response.
  if (response.destroyed) return;
  if ('stream' in reply) {
    const { status = 200, stream, sizeBytes } = reply;
    response.writeHead(status, sizeBytes === undefined ? {} : { 'content-length': sizeBytes });
    return pipeline(stream, response);
  }
  let body: string | Uint8Array = '';
  if ('json' in reply) {
    body = encodeJson(reply.json);
    response.setHeader('content-type', 'application/json');
  } else if ('bytes' in reply) {
    body = reply.bytes;
  }
  const status = reply.status ?? ('json' in reply || 'bytes' in reply ? 200 : 204);
  response.writeHead(status, { 'content-length': Buffer.byteLength(body) });
  const finished = once(response, 'close');
  response.end(body);
  await finished;
}

function compile(path: string): RegExp {
  const components = path
    .split('/')
    .map((part) => (part.startsWith(':') ? `(?<${part.slice(1)}>[^/]+)` : part));
  return new RegExp(`^${components.join('/')}$`);
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1' || host === '[::1]') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

function badRequest(problem: string, cause?: unknown): AppError {
  return new AppError(`Bad request: ${problem}`, { code: 'bad-request', category: 'caller', cause });
}
