import { constants } from 'node:os';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Why a master ends. */
export type EndReason = { kind: 'stop' } | { kind: 'signal'; signal: (typeof signals)[number] };

/** The end of this process: requested once, by a signal or from inside. A second signal ends it without clean-up. */
export class Ending {
  /** Resolves when the end is wanted. */
  readonly requested: Promise<EndReason>;
  #resolve: (reason: EndReason) => void = () => {};
  #reason: EndReason | undefined;

  constructor() {
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const signal of signals) {
      process.on(signal, () => {
        if (this.#reason) this.end();
        this.request({ kind: 'signal', signal });
      });
    }
  }

  /** Whether there is time: nobody has sent a signal. */
  get isUnhurried(): boolean {
    return this.#reason?.kind === 'stop';
  }

  get isRequested(): boolean {
    return this.#reason !== undefined;
  }

  request(reason: EndReason): void {
    this.#reason ??= reason;
    this.#resolve(this.#reason);
  }

  /** Ends the process: of the signal that it was sent, so that whoever waits sees why. */
  end(): never {
    if (this.#reason?.kind !== 'signal') process.exit(0);
    const { signal } = this.#reason;
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
    // Still here: we are the init of a container.
    process.exit(128 + constants.signals[signal]);
  }
}
