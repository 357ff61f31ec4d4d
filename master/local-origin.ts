import type { LocalFiles, Origin } from '../executor/origin.ts';
import type { Amendments } from '../protocol/amendments.ts';
import type { Digest } from '../protocol/digest.ts';
import type { ProjectBlobs } from './project-blobs.ts';
import type { SystemLayer } from './system-layer.ts';

/** Where the stdin of running jobs comes from. */
export type ReadStdin = (jobId: string, maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>;

export interface LocalOriginOptions {
  blobs: ProjectBlobs;
  /** Of the store that content is copied to before it is read. */
  storeDir: string;
  system: SystemLayer;
  readStdin: ReadStdin;
}

/** This machine as the origin of jobs, for executors in the same process; for others see `OriginServer`. */
export class LocalOrigin implements Origin {
  readonly blobs: ProjectBlobs;
  readonly here: LocalFiles;
  readonly #system: SystemLayer;
  readonly #readStdin: ReadStdin;

  constructor({ blobs, storeDir, system, readStdin }: LocalOriginOptions) {
    this.blobs = blobs;
    this.here = {
      storeDir,
      fill: (digest) => blobs.ensureStored(digest),
      signFile: (path) => system.signFile(path),
    };
    this.#system = system;
    this.#readStdin = readStdin;
  }

  listDirectory(absolutePath: string): Promise<Uint8Array> {
    return this.#system.listDirectory(absolutePath);
  }

  async amendments(epoch: number, sinceRevision: number): Promise<Amendments> {
    return this.#system.amendments(epoch, sinceRevision);
  }

  digestFile(absolutePath: string): Promise<Digest> {
    return this.#system.digestFile(absolutePath);
  }

  readStdin(jobId: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#readStdin(jobId, maxBytes, signal);
  }
}
