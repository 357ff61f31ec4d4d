import { readFileSync } from 'node:fs';

/**
 * How many processes the kernel of this machine has killed for want of memory, in whatever container. Reading that costs
 * 30 µs, so it is done once per job: what a job begins with is what the one before it ended with.
 *
 * Source: proc(5), /proc/vmstat, "oom_kill" (since Linux 4.13; without it there are none).
 */
export class OomKills {
  readonly #file: string;
  /** When it was read last. */
  latest: number;

  constructor(file = '/proc/vmstat') {
    this.#file = file;
    this.latest = this.read();
  }

  read(): number {
    const [, count = '0'] = /^oom_kill (\d+)$/m.exec(readFileSync(this.#file, 'latin1')) ?? [];
    this.latest = Number(count);
    return this.latest;
  }
}
