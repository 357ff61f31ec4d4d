import type { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import type { z } from 'zod';
import { AppError } from './app-error.ts';
import { describeIssue } from './describe-issue.ts';
import { decodeHttpError } from './http-error.ts';
import { encodeJson } from './json.ts';
import { isRefusal, secureClient } from './secure-connection.ts';
import type { Token } from './token.ts';

export interface HttpRequest {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With query; components from elsewhere encoded by runtime/url-bytes.ts. */
  path: string;
  /** A value to send as JSON. */
  json?: unknown;
  bytes?: Uint8Array;
  stream?: AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
  /** The answer may depend on somebody who is in no hurry: however long it takes to begin. */
  isPatient?: boolean;
}

export interface HttpResponse {
  status: number;
  /** Must be read to its end or left by `break`: until then it occupies a connection. */
  body: AsyncIterable<Buffer>;
}

const connectTimeoutMs = 4_000;
/** A server that says nothing for so long within an answer says nothing more. */
const silenceMs = 60_000;
/** To hash a large file takes its time. */
const thinkMs = 300_000;
const defaultLimitBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;

/**
 * Talks to one HttpServer over connections that are kept.
 *
 * Errors: AppError `unreachable` and `connection-lost` (category infrastructure) for trouble on the way, `unauthorized` when the
 * server has another token, `bad-answer` for answers that make no sense; what the server's handler has thrown, as it was; the reason of `signal` when aborted.
 */
export class HttpClient implements AsyncDisposable {
  readonly url: string;
  readonly #token: Token;
  readonly #pool: Pool;

  /** @param connections at most so many at once; more requests wait. Unlimited unless told */
  constructor(url: string, token: Token, { connections }: { connections?: number } = {}) {
    this.url = url;
    this.#token = token;
    this.#pool = new Pool(url, {
      connections: connections ?? null,
      headersTimeout: thinkMs,
      bodyTimeout: silenceMs,
      connect: { ...secureClient(token), timeout: connectTimeoutMs },
    });
  }

  /** Any answer with a status below 400; 404 as well when `allowAbsent`. */
  async request(
    request: HttpRequest,
    { allowAbsent = false }: { allowAbsent?: boolean } = {},
  ): Promise<HttpResponse> {
    const { method, path, json, bytes, stream, signal, isPatient = false } = request;
    signal?.throwIfAborted();
    let response: Dispatcher.ResponseData;
    try {
      response = await this.#pool.request({
        method,
        path,
        // undici takes any async iterable, which its types do not tell.
        body: json === undefined ? (bytes ?? (stream as Readable | undefined) ?? null) : encodeJson(json),
        ...(json === undefined ? {} : { headers: { 'content-type': 'application/json' } }),
        ...(signal ? { signal } : {}),
        ...(isPatient ? { headersTimeout: 0 } : {}),
      });
    } catch (error) {
      throw this.#explain(error, 'unreachable', signal);
    }
    const { statusCode: status } = response;
    const body = this.#explainBody(response.body, signal);
    if (status < 400 || (allowAbsent && status === 404)) return { status, body };
    throw decodeHttpError(status, parseJson(await collect(body, maxErrorBytes)), this.url);
  }

  async getJson<S extends z.ZodType>(
    path: string,
    schema: S,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<z.output<S>> {
    return this.#readJson(await this.request({ method: 'GET', path, signal }), schema);
  }

  async postJson<S extends z.ZodType>(
    path: string,
    json: unknown,
    schema: S,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<z.output<S>> {
    return this.#readJson(await this.request({ method: 'POST', path, json, signal }), schema);
  }

  /** The whole body of the answer. @throws AppError `bad-answer` when it is longer; 64 MiB unless told */
  async bytes(request: HttpRequest, { limitBytes = defaultLimitBytes } = {}): Promise<Buffer> {
    return this.#collect((await this.request(request)).body, limitBytes);
  }

  /** Drops all connections; what is running fails. Idempotent. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #readJson<S extends z.ZodType>({ body }: HttpResponse, schema: S): Promise<z.output<S>> {
    const parsed = schema.safeParse(parseJson(await this.#collect(body, defaultLimitBytes)));
    if (parsed.success) return parsed.data;
    throw new AppError(`${this.url}: answer of another form: ${describeIssue(parsed.error)}`, {
      code: 'bad-answer',
    });
  }

  async #collect(body: AsyncIterable<Buffer>, limitBytes: number): Promise<Buffer> {
    const bytes = await collect(body, limitBytes);
    if (bytes.length <= limitBytes) return bytes;
    throw new AppError(`${this.url}: answer of more than ${limitBytes} bytes`, { code: 'bad-answer' });
  }

  async *#explainBody(body: AsyncIterable<Buffer>, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (error) {
      throw this.#explain(error, 'connection-lost', signal);
    }
  }

  #unauthorized(cause: unknown): AppError {
    return new AppError(`${this.url}: it does not have the token in "${this.#token.path}"`, {
      code: 'unauthorized',
      hint: 'Start coordinator, executors and masters as one user with one XDG_CACHE_HOME, and again when that file is newer',
      cause,
    });
  }

  /** @param code for errors of the connection; a stream being sent may also throw its own */
  #explain(cause: unknown, code: string, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason;
    if (cause instanceof AppError) return cause;
    if (isRefusal(cause)) return this.#unauthorized(cause);
    return new AppError(`${this.url}: ${code === 'unreachable' ? 'cannot be reached' : 'connection lost'}`, {
      code,
      cause,
    });
  }
}

/** All of it, or its beginning, more than `limitBytes`: then the connection is given up. */
async function collect(body: AsyncIterable<Buffer>, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limitBytes) break;
  }
  return Buffer.concat(chunks, length);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
