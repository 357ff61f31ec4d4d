/** Work that is under way, by key: whoever wants it meanwhile gets the same, and nobody begins it twice. */
export class Flights<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** @param start called unless there is a flight of that key */
  join(key: string, start: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const started = start().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  /** Resolves, never rejects, when those that are under way now have ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}
