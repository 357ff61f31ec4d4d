/** For the builder that has started us to connect. */
const firstSessionMs = 5_000;

/**
 * Ends a master that was started for one build when nobody needs it any more: when the last session has closed, or when
 * none was ever opened.
 */
export class IdleWatch implements Disposable {
  readonly #isIdle: () => boolean;
  readonly #end: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor({ isIdle, end }: { isIdle: () => boolean; end: () => void }) {
    this.#isIdle = isIdle;
    this.#end = end;
    this.#timer = setTimeout(() => this.check(), firstSessionMs);
  }

  /** To be called when a session has closed. */
  check(): void {
    if (this.#isIdle()) this.#end();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
