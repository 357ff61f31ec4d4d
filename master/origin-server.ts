import { blobRoutes } from '../cas/blob-server.ts';
import type { Origin } from '../executor/origin.ts';
import { encodeAmendments } from '../protocol/amendments.ts';
import { AppError } from '../runtime/app-error.ts';
import { type HttpCall, HttpServer, type Route } from '../runtime/http-server.ts';
import type { Token } from '../runtime/token.ts';

const maxStdinBytes = 1024 * 1024;

/** Serves an origin to executors in other processes (executor/origin-client.ts). Close it when done. */
export function listenForOrigin(
  origin: Origin,
  token: Token,
  options: { host?: string; port?: number } = {},
): Promise<HttpServer> {
  return HttpServer.listen(originRoutes(origin), token, options);
}

/**
 * The blobs of the origin (cas/blob-server.ts), and:
 *
 * - `GET /system/directory?path=`: the bytes of a shallow Directory
 * - `GET /system/amendments?epoch=&since=`: JSON as in executor/origin-client.ts
 * - `POST /system/digest?path=`: JSON Digest
 * - `POST /jobs/<id>/stdin?max=N`: the next bytes, none at the end
 */
export function originRoutes(origin: Origin): Route[] {
  return [
    ...blobRoutes(origin.blobs),
    {
      method: 'GET',
      path: '/system/directory',
      handle: async (call) => ({ bytes: await origin.listDirectory(call.query('path')) }),
    },
    {
      method: 'GET',
      path: '/system/amendments',
      handle: async (call) => {
        const found = await origin.amendments(wholeNumber(call, 'epoch'), wholeNumber(call, 'since'));
        return { json: encodeAmendments(found) };
      },
    },
    {
      method: 'POST',
      path: '/system/digest',
      handle: async (call) => ({ json: await origin.digestFile(call.query('path')) }),
    },
    {
      method: 'POST',
      path: '/jobs/:id/stdin',
      handle: async (call) => ({
        bytes: await origin.readStdin(call.params.id!, maxBytesOf(call), call.signal),
      }),
    },
  ];
}

function maxBytesOf(call: HttpCall): number {
  const max = wholeNumber(call, 'max');
  if (max > 0) return Math.min(max, maxStdinBytes);
  throw badRequest('"max" must be a positive number');
}

function wholeNumber(call: HttpCall, name: string): number {
  const number = Number(call.query(name));
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw badRequest(`"${name}" must be a whole number`);
}

function badRequest(message: string): AppError {
  return new AppError(`Bad request: ${message}`, { code: 'bad-request', category: 'caller' });
}
