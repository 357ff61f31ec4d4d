import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import type { Job, Observation, SystemTrace } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { errnoOf, isErrno } from '../runtime/errno.ts';
import { type Failure, fail, type Result, succeed } from '../runtime/failure.ts';
import type { Limit } from '../runtime/limit.ts';
import type { Box } from './box-client.ts';
import type { BoxConnection } from './box-connection.ts';
import type { BoxMessage, BoxRequest } from './box-messages.ts';
import type { Content } from './content.ts';
import type { Origin } from './origin.ts';

/** Shown as empty directories: the sandbox puts its own there, and what stands there is nobody else's business. */
const hiddenPaths = ['/proc', '/sys', '/dev', '/tmp', '/run', '/var/tmp'];
/** With so much observed it is for no further job: who looks at everything there should not burden who comes later. */
const wornAt = 10_000;
/** More than this is not told. */
const maxTold = 20_000;
const noDigest = { hash: '', sizeBytes: 0 };

/** Of so many jobs the limits are remembered. */
const maxRemembered = 4_096;
const maxReached = 100;
/** Whose they were nobody knows, so that none may be left out. */
const maxUnattributed = 10_000;

/** An answer to a request, without its number. */
type Unaddressed = WithoutId<Extract<BoxRequest, { type: 'listed' | 'directory' | 'file' | 'original' }>>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

export interface SystemMirrorOptions {
  box: Box;
  /** Absolute path of an empty directory: in the box's mount namespace the mirror appears there. */
  mountDir: string;
  origin: Origin;
  content: Content;
  /** Of the origin's machine when the mirror was asked for. */
  moment: { epoch: number; revision: number };
}

/**
 * The origin's machine outside the project, as one read-only mount that all jobs of one (origin, epoch) share. The kernel
 * caches all that was looked at, so that never changes, and errors are as lasting as files: an error that is not the
 * origin's own answer breaks the mirror for good, and every job that uses it. What nobody has looked at yet can be amended.
 */
export class SystemMirror {
  readonly box: Box;
  readonly mountDir: string;
  /** Resolves once it can be used, or cannot be. */
  readonly mounted: Promise<Result<void>>;
  /** Resolves, never rejects, when the mirror may not be used any more: why. */
  readonly broken: Promise<Failure>;
  readonly #options: SystemMirrorOptions;
  readonly #connection: BoxConnection;
  /** Requests under way: kind and path → who waits. */
  readonly #waiting = new Map<string, number[]>();
  /** Names this mount among all others. */
  readonly #id = randomBytes(8).toString('hex');
  /** Grows only, so that a count names a prefix. A path may occur again, with further flags. */
  readonly #observed: Observation[] = [];
  readonly #traceReplies = new Map<number, () => void>();
  #nextTraceId = 1;
  /** By the process of the job that reached them; 0: it may have been any. */
  readonly #reached = new Map<number, Limit[]>([[0, []]]);
  #break: (failure: Failure) => void = () => {};
  #confirm: () => void = () => {};
  #failure: Failure | undefined;
  readonly #onBroken = new Set<(failure: Failure) => void>();
  /** All that was observed is as it was then. */
  #revision: number;
  #isStale = false;
  #amending: Promise<void> | undefined;
  readonly #listing = new Set<Promise<void>>();
  readonly #relistings = new Map<number, (isRefused: boolean) => void>();

  constructor(options: SystemMirrorOptions) {
    this.#options = options;
    this.box = options.box;
    this.mountDir = options.mountDir;
    this.#revision = options.moment.revision;
    this.broken = new Promise((resolve) => {
      this.#break = (failure) => {
        this.#failure ??= failure;
        resolve(this.#failure);
        for (const tell of this.#onBroken) tell(this.#failure);
      };
    });
    const confirmed = new Promise<void>((resolve) => {
      this.#confirm = resolve;
    });
    this.mounted = Promise.race([confirmed.then(() => succeed(undefined)), this.broken.then(fail)]);
    this.#connection = options.box.connect((message) => this.#receive(message));
    void this.#connection.closed.then((why) => {
      this.#break({ reason: 'sandbox', message: `the mirror of the system ended: ${why}` });
      for (const reply of this.#traceReplies.values()) reply();
      for (const reply of this.#relistings.values()) reply(true);
    });
    this.#connection.send({ type: 'mount', mountDir: options.mountDir, hidden: hiddenPaths });
  }

  get isBroken(): boolean {
    return this.#failure !== undefined;
  }

  /** Calls when it breaks, also if it has, until disposed of: unlike `broken` for those who come and go while it lasts. */
  whenBroken(tell: (failure: Failure) => void): Disposable {
    if (this.#failure) tell(this.#failure);
    this.#onBroken.add(tell);
    return { [Symbol.dispose]: () => void this.#onBroken.delete(tell) };
  }

  /** For no further job: somebody has looked at what has changed since, or at very much. */
  get isStale(): boolean {
    return this.#isStale || this.#observed.length >= wornAt;
  }

  /** Shows what nobody has looked at yet as it is at that revision, or later; see `isStale`. Never rejects. */
  async amend(revision: number): Promise<void> {
    while (this.#revision < revision && !this.#isStale && !this.isBroken) {
      this.#amending ??= this.#amend(revision)
        .catch((error) => {
          const message = `ask the origin what has changed: ${describeError(error)}`;
          this.#break({ reason: 'sandbox', message });
        })
        .finally(() => {
          this.#amending = undefined;
        });
      await this.#amending;
    }
  }

  async #amend(wanted: number): Promise<void> {
    const { origin, moment } = this.#options;
    const { revision, amendments } = await origin.amendments(moment.epoch, this.#revision);
    // The origin may have listed before the change what arrives after it.
    await Promise.all(this.#listing);
    const refused = await Promise.all(
      amendments.map(
        (amendment) =>
          new Promise<boolean>((resolve) => {
            const id = this.#nextTraceId++;
            this.#relistings.set(id, resolve);
            this.#connection.send({ type: 'relisted', id, amendment });
          }),
      ),
    );
    if (refused.includes(true)) this.#isStale = true;
    // Of an epoch that is over nobody wants to know more.
    else this.#revision = Math.max(revision, wanted);
  }

  /** Everything that jobs looked at so far, as far as `catchUp` has asked, less what is known already; undefined: too much. */
  traceBeyond(known: NonNullable<Job['systemTraceKnown']>): SystemTrace | undefined {
    if (this.#observed.length > maxTold) return undefined;
    const from = known.mirror === this.#id ? Math.min(known.count, this.#observed.length) : 0;
    return { mirror: this.#id, revision: this.#revision, from, observed: this.#observed.slice(from) };
  }

  /** Learns what jobs have looked at, and were refused, up to now; resolves at once when the mirror has ended. */
  catchUp(): Promise<void> {
    if (this.isBroken) return Promise.resolve();
    return new Promise((resolve) => {
      const id = this.#nextTraceId++;
      this.#traceReplies.set(id, resolve);
      this.#connection.send({ type: 'trace-wanted', id });
    });
  }

  /** How many limits have been reached by nobody knows which job. */
  get unattributedCount(): number {
    return this.#reached.get(0)!.length;
  }

  /**
   * The limits that a job has reached, as far as `catchUp` knows; they are forgotten then.
   *
   * @param process of the job, see `DoneMessage`
   * @param unattributedBefore `unattributedCount` when it began: what came since may be its own
   */
  takeReached(process: number, unattributedBefore: number): Limit[] {
    const own = this.#reached.get(process) ?? [];
    if (process !== 0) this.#reached.delete(process);
    return [...own, ...this.#reached.get(0)!.slice(unattributedBefore)];
  }

  /** Unmounts; resolves when the box has let go. */
  async close(): Promise<void> {
    this.#connection.close();
    await this.#connection.closed;
  }

  #receive(message: BoxMessage): void {
    switch (message.type) {
      case 'mounted':
        return this.#confirm();
      case 'list': {
        const listing = this.#answer(message, () => this.#list(message.path)).finally(() =>
          this.#listing.delete(listing),
        );
        this.#listing.add(listing);
        return;
      }
      case 'read':
        return void this.#answer(message, () => this.#read(message.path, message.mustCopy));
      case 'trace':
        for (const observation of message.observed) this.#observed.push(observation);
        this.#traceReplies.get(message.id)?.();
        this.#traceReplies.delete(message.id);
        return;
      case 'relisted':
        this.#relistings.get(message.id)?.(message.isRefused);
        this.#relistings.delete(message.id);
        return;
      case 'refused':
        this.#note(message.limit, message.process);
        return;
      case 'broken':
        return this.#break({ reason: 'sandbox', message: message.message });
      default:
        return this.#break({
          reason: 'sandbox',
          message: `unexpected message "${message.type}" from the box`,
        });
    }
  }

  /** Bounded: of jobs that nobody asks for, for they were cancelled, the oldest are forgotten. */
  #note(limit: Limit, process: number): void {
    const reached = this.#reached.get(process) ?? [];
    this.#reached.set(process, reached);
    // That it was one of so many is all that its job has to know.
    if (process !== 0 && reached.length >= maxReached) return;
    reached.push(limit);
    if (process === 0 && reached.length >= maxReached) this.#isStale = true;
    if (reached.length >= maxUnattributed) {
      this.#break({
        reason: 'sandbox',
        message: 'commands were refused too much by the mirror of the system',
      });
    }
    if (this.#reached.size <= maxRemembered) return;
    const [oldest] = [...this.#reached.keys()].filter((key) => key !== 0);
    this.#reached.delete(oldest!);
  }

  /** Several requests for one path get the same answer, from one question to the origin. */
  async #answer(
    { type, id, path }: { type: 'list' | 'read'; id: number; path: string },
    find: () => Promise<Unaddressed>,
  ): Promise<void> {
    const key = `${type} ${path}`;
    const ids = this.#waiting.get(key);
    if (ids) {
      ids.push(id);
      return;
    }
    const waiting = [id];
    this.#waiting.set(key, waiting);
    const reply = await find();
    this.#waiting.delete(key);
    for (const each of waiting) this.#connection.send({ ...reply, id: each });
  }

  async #list(path: string): Promise<Unaddressed> {
    try {
      const bytes = await this.#options.origin.listDirectory(path);
      return { type: 'listed', errno: 0, bytes };
    } catch (error) {
      return { type: 'listed', errno: this.#errnoFor(error, path), bytes: new Uint8Array() };
    }
  }

  async #read(path: string, mustCopy: boolean): Promise<Unaddressed> {
    try {
      const { here } = this.#options.origin;
      if (here && !mustCopy) return { type: 'original', signature: await here.signFile(path) };
      const digest = await this.#options.origin.digestFile(path);
      const provided = await this.#options.content.provide(digest);
      if (provided.ok) return { type: 'file', errno: 0, digest };
      this.#break(provided.failure);
      return { type: 'file', errno: constants.errno.EIO, digest: noDigest };
    } catch (error) {
      return { type: 'file', errno: this.#errnoFor(error, path), digest: noDigest };
    }
  }

  /** What the origin's kernel says about a path is an answer; anything else is trouble of ours. */
  #errnoFor(error: unknown, path: string): number {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG'))
      return errnoOf(error);
    this.#break({ reason: 'sandbox', message: `look at "${path}" on the origin: ${describeError(error)}` });
    return constants.errno.EIO;
  }
}
