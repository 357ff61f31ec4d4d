import { randomBytes } from 'node:crypto';
import type { Clock } from '../runtime/clock.ts';
import { Session, type SessionOptions } from './session.ts';

export interface SessionsOptions {
  clock: Clock;
  onIdle: (last: Session | undefined) => void | Promise<void>;
  onClose?: (session: Session) => Promise<void>;
}

/** The builds that a master serves, and one more for commands that belong to none of them. */
export class Sessions {
  readonly #clock: Clock;
  readonly #onIdle: SessionsOptions['onIdle'];
  readonly #onClose: (session: Session) => Promise<void>;
  readonly #open = new Map<string, Session>();
  readonly #anonymous: Session;
  #expectedCount = 0;
  #closingCount = 0;

  /**
   * @param onIdle called with the last session when it has closed, without any when the only one could not be opened;
   * never rejects
   * @param onClose called after the last command of a session; never rejects
   */
  constructor({ clock, onIdle, onClose }: SessionsOptions) {
    this.#onClose = onClose ?? (async () => {});
    this.#clock = clock;
    this.#onIdle = onIdle;
    // It never ends, and nobody asks it what became of its commands.
    this.#anonymous = new Session('none', { clock, send: () => {}, maxRecords: 0 });
  }

  get count(): number {
    return this.#open.size;
  }

  /** Whether none is open, about to be, or still being written down. */
  get isIdle(): boolean {
    return this.#open.size === 0 && this.#expectedCount === 0 && this.#closingCount === 0;
  }

  /** One is about to be opened, until this is disposed of: a master does not end, or begin to wait, meanwhile. */
  expect(): Disposable {
    this.#expectedCount += 1;
    return {
      [Symbol.dispose]: () => {
        this.#expectedCount -= 1;
      },
    };
  }

  open(
    send: SessionOptions['send'],
    wishes: Pick<SessionOptions, 'check' | 'compileCommands' | 'environment'> = {},
  ): Session {
    const id = randomBytes(6).toString('hex');
    const session = new Session(id, { clock: this.#clock, send, ...wishes });
    this.#open.set(session.id, session);
    return session;
  }

  /** The session that a command's environment names, while it is open. */
  of(env: readonly string[]): Session {
    const prefix = 'TERMITE_SESSION=';
    const entry = env.findLast((variable) => variable.startsWith(prefix));
    return this.#open.get(entry?.slice(prefix.length) ?? '') ?? this.#anonymous;
  }

  /** Ends what it still runs. */
  async close(session: Session): Promise<void> {
    if (!this.#open.delete(session.id)) return;
    this.#closingCount += 1;
    try {
      await session.close();
      await this.#onClose(session);
    } finally {
      this.#closingCount -= 1;
    }
    if (this.isIdle) await this.#onIdle(session);
  }

  /** Somebody wanted to open a session, and could not. */
  async refused(): Promise<void> {
    if (this.isIdle) await this.#onIdle(undefined);
  }

  async closeAll(): Promise<void> {
    const all = [...this.#open.values(), this.#anonymous];
    this.#open.clear();
    await Promise.all(all.map((session) => session.close()));
  }
}
