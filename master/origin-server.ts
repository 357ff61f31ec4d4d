import { blobRoutes } from '../cas/blob-server.ts';
import type { Origin } from '../executor/origin.ts';
import { AppError } from '../runtime/app-error.ts';
import { type HttpCall, HttpServer, type Route } from '../runtime/http-server.ts';

const maxStdinBytes = 1024 * 1024;

/** Serves an origin to executors in other processes (executor/origin-client.ts). Close it when done. */
export function listenForOrigin(
  origin: Origin,
  options: { host?: string; port?: number } = {},
): Promise<HttpServer> {
  return HttpServer.listen(originRoutes(origin), options);
}

/**
 * The blobs of the origin (cas/blob-server.ts), and:
 *
 * - `GET /system/directory?path=`: the bytes of a shallow Directory
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
  const max = Number(call.query('max'));
  if (Number.isInteger(max) && max > 0) return Math.min(max, maxStdinBytes);
  throw new AppError('Bad request: "max" must be a positive number', {
    code: 'bad-request',
    category: 'caller',
  });
}
