import type { Digest } from '../protocol/digest.ts';
import type { Job } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { type Failure, fail, type Result, succeed } from '../runtime/failure.ts';
import type { BoxConnection } from './box-connection.ts';
import type { BoxMessage, DoneMessage, SentDirectory } from './box-messages.ts';
import type { Content } from './content.ts';
import type { Origin } from './origin.ts';
import type { SystemMirror } from './system-mirror.ts';

export interface JobRunOptions {
  job: Job;
  /** Absolute; must not exist. */
  jobDir: string;
  /** What the job's files may take in memory; 0: they are on disk. */
  memoryBytes: number;
  /** It has a network of its own from the beginning. */
  ownNetwork: boolean;
  mirror: SystemMirror;
  origin: Origin;
  content: Content;
  directories: readonly SentDirectory[];
  /** The ids outside of the sandbox; the box ignores them when it is not root. */
  hostId: number;
  signal: AbortSignal;
}

/** How a job ended that the box did not fail. */
export type JobEnd = DoneMessage | 'needs-disk' | 'needs-network';

/**
 * One job in the box: sends it off, answers what it needs, and ends with what the box says about it or with the first
 * reason why there is nothing to say. `needs-disk`, `needs-network`: it has to be begun anew with its
 * files on disk, or with a network of its own.
 *
 *     running ──done──► done            (the job's files can be read)
 *        ├──outgrown, stdin needed by a job in memory──► needs-disk
 *        ├──a socket asked for by a job without a network of its own──► needs-network
 *        └──broken, content not to be had, mirror broken, box gone, aborted──► failed
 *     either ──close──► closed          (what still runs is killed, the directory removed)
 */
export class JobRun implements Disposable {
  /** Never rejects. */
  readonly ended: Promise<Result<JobEnd>>;
  readonly #options: JobRunOptions;
  readonly #connection: BoxConnection;
  readonly #mirrorWatch: Disposable;
  /** Made when stdin is first asked for: few commands do, and aborting is not cheap. */
  #stdin: AbortController | undefined;
  #end: (result: Result<JobEnd>) => void = () => {};
  readonly #abort = () => this.#end(fail({ reason: 'cancelled' }));

  constructor(options: JobRunOptions) {
    const { job, jobDir, memoryBytes, ownNetwork, mirror, directories, hostId, signal } = options;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#connection = mirror.box.connect((message) => this.#receive(message));
    const { root, projectRoot, argv, env, cwd, umask, uid, gid, home, shown, context } = job;
    const { mergeOutput, network, forwardStdin, timeoutMs } = job;
    this.#connection.send({
      type: 'job',
      job: {
        ...{ jobDir, systemDir: mirror.mountDir, projectRoot, root, argv, env, cwd, umask, uid, gid },
        ...{ home, shown, context, ownNetwork },
        ...{ hostUid: hostId, hostGid: hostId, mergeOutput, network, forwardStdin, timeoutMs, memoryBytes },
        directories,
      },
    });
    // Not before: a job that cannot be sent leaves nothing behind.
    void this.#connection.closed.then((why) => this.#fail({ reason: 'sandbox', message: why }));
    this.#mirrorWatch = mirror.whenBroken((failure) => this.#fail(failure));
    signal.addEventListener('abort', this.#abort);
    if (signal.aborted) this.#abort();
  }

  /** Idempotent. */
  [Symbol.dispose](): void {
    this.#options.signal.removeEventListener('abort', this.#abort);
    this.#mirrorWatch[Symbol.dispose]();
    this.#stdin?.abort();
    this.#connection.close();
  }

  #fail(failure: Failure): void {
    this.#end(fail(failure));
  }

  #receive(message: BoxMessage): void {
    switch (message.type) {
      case 'done':
        return this.#end(succeed(message));
      case 'outgrown':
        return this.#end(succeed('needs-disk'));
      case 'needs-network':
        return this.#end(succeed('needs-network'));
      case 'broken':
        return this.#fail({ reason: 'sandbox', message: message.message });
      case 'need-directory':
        return void this.#giveDirectory(message.id, message.digest);
      case 'need-blob':
        return void this.#giveBlob(message.id, message.digest);
      case 'need-stdin':
        // What has been read cannot be read again should the job outgrow the memory later.
        if (this.#options.memoryBytes > 0) return this.#end(succeed('needs-disk'));
        return void this.#giveStdin(message.id, message.maxBytes);
      default:
        return this.#fail({
          reason: 'sandbox',
          message: `unexpected message "${message.type}" from the box`,
        });
    }
  }

  /** What is not to be had ends the job: an I/O error that the command sees might pass for its result. */
  async #giveDirectory(id: number, digest: Digest): Promise<void> {
    const found = await this.#options.content.directory(digest);
    if (!found.ok) return this.#fail(found.failure);
    this.#connection.send({ type: 'directory', id, errno: 0, bytes: found.value });
  }

  async #giveBlob(id: number, digest: Digest): Promise<void> {
    const provided = await this.#options.content.provide(digest);
    if (!provided.ok) return this.#fail(provided.failure);
    this.#connection.send({ type: 'blob', id, errno: 0 });
  }

  async #giveStdin(id: number, maxBytes: number): Promise<void> {
    const { origin, job } = this.#options;
    this.#stdin ??= new AbortController();
    try {
      const data = await origin.readStdin(job.id, maxBytes, this.#stdin.signal);
      this.#connection.send({ type: 'stdin', id, data });
    } catch (error) {
      this.#fail({ reason: 'sandbox', message: `read stdin: ${describeError(error)}` });
    }
  }
}
