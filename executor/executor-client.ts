import type { BlobStore } from '../cas/blob-store.ts';
import { HttpBlobStore } from '../cas/http-blob-store.ts';
import { type Job, type JobResult, jobResultSchema } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { describeIssue } from '../runtime/describe-issue.ts';
import { fail } from '../runtime/failure.ts';
import { HttpClient } from '../runtime/http-client.ts';
import type { Token } from '../runtime/token.ts';
import type { Executor } from './executor.ts';

/** Three heartbeats and a little. */
const silenceMs = 16_000;
/** Of a result with everything that a command looked at and changed: some million paths. */
const maxAnswerBytes = 128 * 1024 * 1024;
const spaces = Buffer.alloc(64 * 1024, ' ');

/**
 * An executor in another process. Whatever goes wrong on the way is the failure `executor-lost`, also when it says
 * nothing for 16 s.
 */
export class ExecutorClient implements Executor, AsyncDisposable {
  /** Where the outputs of its jobs are to be had. */
  readonly blobs: BlobStore;
  readonly #name: string;
  readonly #client: HttpClient;

  /** @param name for failures */
  constructor(name: string, url: string, token: Token) {
    this.#name = name;
    this.#client = new HttpClient(url, token);
    this.blobs = new HttpBlobStore(this.#client);
  }

  async execute(job: Job, { signal }: { signal: AbortSignal }): Promise<JobResult> {
    const silence = new AbortController();
    const timer = setTimeout(
      () => silence.abort(new Error(`no sign of life for ${silenceMs} ms`)),
      silenceMs,
    );
    try {
      const { body } = await this.#client.request({
        method: 'POST',
        path: '/jobs',
        json: job,
        signal: AbortSignal.any([signal, silence.signal]),
      });
      const text = await collectAnswer(body, () => timer.refresh());
      const answer = jobResultSchema.safeParse(JSON.parse(text));
      if (answer.success) return answer.data;
      return this.#lost(`it gave a result that makes no sense: ${describeIssue(answer.error)}`);
    } catch (error) {
      if (signal.aborted) return fail({ reason: 'cancelled' });
      return this.#lost(describeError(error));
    } finally {
      clearTimeout(timer);
    }
  }

  #lost(message: string): JobResult {
    return fail({ reason: 'executor-lost', executor: this.#name, message });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}

/** The text of an answer, without most of the white space before it, which is nothing but a sign of life. */
async function collectAnswer(body: AsyncIterable<Buffer>, onLife: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    onLife();
    length += chunk.length;
    if (length > maxAnswerBytes) throw new Error(`its answer is longer than ${maxAnswerBytes} bytes`);
    const isSpace = chunk.equals(spaces.subarray(0, chunk.length));
    if (chunks.length > 0 || !isSpace) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
