import { digestOf } from '../cas/digest.ts';
import type { Job } from '../protocol/job.ts';

const maxRemembered = 4096;

/** Commands in their folders of which something was learnt: the latest 4096. */
export class RememberedCommands {
  /** Oldest first. */
  readonly #keys = new Set<string>();

  has(job: Pick<Job, 'argv' | 'cwd'>): boolean {
    return this.#keys.size > 0 && this.#keys.has(keyOf(job));
  }

  add(job: Pick<Job, 'argv' | 'cwd'>): void {
    const key = keyOf(job);
    this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size > maxRemembered) this.#keys.delete(this.#keys.values().next().value!);
  }
}

function keyOf({ argv, cwd }: Pick<Job, 'argv' | 'cwd'>): string {
  return digestOf(Buffer.from([cwd, ...argv].join('\0'))).hash;
}
