import type { Parking } from './parking.ts';
import type { Session } from './session.ts';

/** For the builder that has started us to connect. */
const firstSessionMs = 5_000;

export interface IdleWatchOptions {
  isIdle: () => boolean;
  end: () => void;
  /** Absent: a master ends with its last build. */
  parking: Pick<Parking, 'park'> | undefined;
}

/**
 * Decides what becomes of a master that was started for one build when the last session has closed, or none was ever
 * opened. It waits for the next build if there has been one, and ends otherwise; also when a build was broken off, which
 * may leave nothing behind.
 */
export class IdleWatch implements Disposable {
  readonly #options: IdleWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #hasBuilt = false;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => void this.check(undefined), firstSessionMs);
  }

  /** @param last the session that has closed; undefined when one could not be opened. Never rejects */
  async check(last: Pick<Session, 'isBrokenOff' | 'records'> | undefined): Promise<void> {
    const { isIdle, end, parking } = this.#options;
    if (!isIdle()) return;
    this.#hasBuilt ||= last !== undefined && last.records.length > 0;
    if (parking && this.#hasBuilt && !last?.isBrokenOff) await parking.park();
    else end();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
