import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { AppError } from '../runtime/app-error.ts';
import { type Child, spawnChild } from '../runtime/child-process.ts';
import { BoxConnection } from './box-connection.ts';
import type { BoxMessage } from './box-messages.ts';
import { checkSandboxFeatures, suggestWayOut } from './sandbox-features.ts';

/** Relative to dist/executor. */
const defaultBinary = resolve(import.meta.dirname, '../../native/build/termite-box');
const startDeadlineMs = 10_000;
/** News of its end take no longer. */
const newsMs = 250;
const endDeadlineMs = 10_000;
/** Enough for the box's last words. */
const rememberedLength = 4096;

export interface BoxClientOptions {
  /** For the sockets; a short absolute path of an existing directory of our own. */
  dir: string;
  /** Folder of the blob store. */
  storeDir: string;
  /** Who owns what jobs see of the system, and runs them, when this process is root. */
  hostId: number;
  binary?: string;
}

/** A box server that is up. */
export interface Box {
  readonly pid: number;
  connect(onMessage: (message: BoxMessage) => void): BoxConnection;
  /** Takes the trouble of the next `connect` beforehand; call it when there is nothing more urgent. */
  prepare(): void;
  /** Resolves, never rejects, when it is gone: how, and its last words. */
  readonly died: Promise<string>;
}

/**
 * Keeps a box server running: started on first use, and anew by the first use after it died. Everything that it
 * mounted and ran dies with it. Closing waits until it has ended.
 */
export class BoxClient implements AsyncDisposable {
  readonly #options: BoxClientOptions;
  #current: Promise<BoxProcess> | undefined;
  #starts = 0;
  #isClosed = false;

  constructor(options: BoxClientOptions) {
    this.#options = options;
  }

  /**
   * The running box server.
   *
   * @throws AppError `no-fuse`, `no-user-namespaces` or `no-sandbox`, each with a way out where one is known
   */
  async box(): Promise<Box> {
    if (this.#isClosed)
      throw new AppError('Cannot use the sandbox: it is being closed', { code: 'no-sandbox' });
    this.#current ??= this.#start();
    const box = await this.#current;
    if (!box.isSuspect || !(await box.hasEnded())) return box;
    return this.box();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const box = await this.#current?.catch(() => undefined);
    await box?.end();
  }

  #start(): Promise<BoxProcess> {
    this.#starts += 1;
    const started = startBox(this.#options, join(this.#options.dir, `box-${this.#starts}`));
    const forget = () => {
      if (this.#current === started) this.#current = undefined;
    };
    started.then((box) => box.died.then(forget), forget);
    return started;
  }
}

class BoxProcess implements Box {
  readonly died: Promise<string>;
  /** A connection ended by itself: the news of the box's own end may be on their way. */
  isSuspect = false;
  readonly #child: Child;
  readonly #socketPath: string;
  /** The box has forked for it already: 0.4 ms that no job waits for. */
  #spare: BoxConnection | undefined;

  constructor(child: Child, socketPath: string, died: Promise<string>) {
    this.died = died;
    this.#child = child;
    this.#socketPath = socketPath;
  }

  get pid(): number {
    return this.#child.pid;
  }

  connect(onMessage: (message: BoxMessage) => void): BoxConnection {
    const connection = this.#spare ?? this.#connect();
    this.#spare = undefined;
    return connection.listen(onMessage);
  }

  prepare(): void {
    this.#spare ??= this.#connect();
  }

  #connect(): BoxConnection {
    const connection = new BoxConnection(this.#socketPath);
    void connection.closed.then(() => {
      if (this.#spare === connection) this.#spare = undefined;
      if (!connection.isEnding) this.isSuspect = true;
    });
    return connection;
  }

  /** Clears or confirms the suspicion. */
  async hasEnded(): Promise<boolean> {
    this.isSuspect = false;
    return Promise.race([this.died.then(() => true), setTimeout(newsMs, false)]);
  }

  /** Ends it, with all its jobs, and waits. */
  async end(): Promise<void> {
    this.#spare?.close();
    await this.#child.close({ graceMs: endDeadlineMs });
  }
}

async function startBox(options: BoxClientOptions, socketPath: string): Promise<BoxProcess> {
  const { storeDir, hostId, binary = defaultBinary } = options;
  checkSandboxFeatures();
  const args = ['--socket', socketPath, '--store', storeDir, '--owner', `${hostId}:${hostId}`];
  const child = await spawnChild(binary, args);
  let words = '';
  child.stderr.on('data', (chunk) => {
    words = (words + chunk).slice(-rememberedLength);
  });
  const died = child.ended.then((status) => words.trim() || `the box ended: ${JSON.stringify(status)}`);
  const ready = new Promise<true>((resolve) => {
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.includes('ready\n')) resolve(true);
    });
  });
  const giveUp = new AbortController();
  setTimeout(startDeadlineMs, undefined, giveUp).then(
    () => child.kill(),
    () => {},
  );
  const problem = await Promise.race([ready, died]);
  giveUp.abort();
  if (problem === true) return new BoxProcess(child, socketPath, died);
  const hint = suggestWayOut(problem);
  throw new AppError(`Cannot start the sandbox: ${problem}`, {
    code: 'no-sandbox',
    ...(hint === undefined ? {} : { hint }),
  });
}
