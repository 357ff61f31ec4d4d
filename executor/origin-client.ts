import type { BlobStore } from '../cas/blob-store.ts';
import { HttpBlobStore } from '../cas/http-blob-store.ts';
import { type Amendments, amendmentsSchema } from '../protocol/amendments.ts';
import { type Digest, digestSchema } from '../protocol/digest.ts';
import { HttpClient } from '../runtime/http-client.ts';
import type { Token } from '../runtime/token.ts';
import { encodeUrlBytes } from '../runtime/url-bytes.ts';
import type { Origin } from './origin.ts';

/** The origin of a job in another process: a master's origin server. Errors: those of HttpClient. */
export class OriginClient implements Origin, AsyncDisposable {
  readonly blobs: BlobStore;
  readonly #client: HttpClient;

  constructor(url: string, token: Token) {
    this.#client = new HttpClient(url, token);
    this.blobs = new HttpBlobStore(this.#client);
  }

  listDirectory(absolutePath: string): Promise<Uint8Array> {
    return this.#client.bytes({
      method: 'GET',
      path: `/system/directory?path=${encodeUrlBytes(absolutePath)}`,
    });
  }

  amendments(epoch: number, sinceRevision: number): Promise<Amendments> {
    return this.#client.getJson(`/system/amendments?epoch=${epoch}&since=${sinceRevision}`, amendmentsSchema);
  }

  digestFile(absolutePath: string): Promise<Digest> {
    return this.#client.postJson(
      `/system/digest?path=${encodeUrlBytes(absolutePath)}`,
      undefined,
      digestSchema,
    );
  }

  readStdin(jobId: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    const path = `/jobs/${jobId}/stdin?max=${maxBytes}`;
    return this.#client.bytes({ method: 'POST', path, signal, isPatient: true }, { limitBytes: maxBytes });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}
