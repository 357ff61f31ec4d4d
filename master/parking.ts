import { describeError } from '../runtime/app-error.ts';
import type { Door } from './door.ts';

export interface ParkingOptions {
  /** How long to wait for the next build. */
  patienceMs: number;
  /** At which the project's builds find a master, open by now. */
  frontDoor: Door;
  openFrontDoor(): Promise<Door>;
  /** At which the next build finds a parked one. */
  openSideDoor(): Promise<Door>;
  isIdle(): boolean;
  /** Whether all that it has open is still where it was. */
  isSound(): boolean;
  /** Whether it is as good for a build from there as one that would be started now. */
  suits(circumstances: string): boolean;
  /** Finds out what has changed meanwhile. */
  recheck(): Promise<void>;
  /** Done while nobody waits; never rejects. */
  tidy(): Promise<void>;
  /** Begins to end this master. */
  end(): void;
  onNotice(message: string): void;
}

/** Nobody finds a master again whose cache or project was removed. */
const soundnessMs = 2_000;

/**
 * Lets a master whose last build has ended wait for the next one, which then finds everything warm. Meanwhile there is no
 * socket in the project: only a build of exactly this project looks at the side door.
 *
 *     serving ──park()──► parked ──admit()──► serving
 *                           └── nobody came in time, or it does not suit who came ──► ended
 */
export class Parking implements Disposable {
  readonly #options: ParkingOptions;
  readonly #tellers = new Set<(message: string) => void>();
  #frontDoor: Door;
  /** Open while parked. */
  #sideDoor: Door | undefined;
  #isParking = false;
  #timer: NodeJS.Timeout | undefined;
  #resuming: Promise<boolean> | undefined;

  constructor(options: ParkingOptions) {
    this.#options = options;
    this.#frontDoor = options.frontDoor;
  }

  /** Never rejects: a master that cannot park ends. */
  async park(): Promise<void> {
    const { patienceMs, openSideDoor, isIdle, isSound, tidy, end, onNotice } = this.#options;
    // Several builds may be refused at once.
    if (this.#sideDoor || this.#isParking) return;
    this.#isParking = true;
    try {
      // Before the other is closed: with neither, another master would be started.
      const sideDoor = await openSideDoor();
      if (!isIdle()) return sideDoor.close();
      this.#sideDoor = sideDoor;
    } catch (error) {
      onNotice(`Cannot wait for the next build: ${describeError(error)}`);
      return end();
    } finally {
      this.#isParking = false;
    }
    this.#frontDoor.close();
    const deadline = performance.now() + patienceMs;
    this.#timer = setInterval(
      () => {
        if (performance.now() >= deadline || !isSound()) end();
      },
      Math.min(patienceMs, soundnessMs),
    );
    void tidy();
  }

  /**
   * Begins to serve again if parked.
   *
   * @param tell given what to say while it takes long
   * @returns false when this master is not the right one: it ends
   */
  async admit(circumstances: string, tell: (message: string) => void): Promise<boolean> {
    if (!this.#sideDoor) return true;
    this.#tellers.add(tell);
    this.#resuming ??= this.#resume(this.#sideDoor, circumstances).finally(() => {
      this.#resuming = undefined;
    });
    return this.#resuming.finally(() => this.#tellers.delete(tell));
  }

  /** For those who wait to be admitted. */
  tell(message: string): void {
    for (const tell of this.#tellers) tell(message);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #resume(sideDoor: Door, circumstances: string): Promise<boolean> {
    const { suits, isSound, openFrontDoor, recheck, end, onNotice } = this.#options;
    clearInterval(this.#timer);
    try {
      if (suits(circumstances) && isSound()) {
        this.#frontDoor = await openFrontDoor();
        await recheck();
        sideDoor.close();
        this.#sideDoor = undefined;
        return true;
      }
    } catch (error) {
      onNotice(`Cannot go on after a pause: ${describeError(error)}`);
    }
    end();
    return false;
  }
}
