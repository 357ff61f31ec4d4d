import type { Job } from '../protocol/job.ts';
import { RememberedCommands } from './remembered-commands.ts';

/** Of the available memory, shared by all slots. */
const share = 1 / 8;
/** With less it is not worth beginning there. */
const leastBytes = 16 * 1024 * 1024;
const validMs = 1000;

export interface JobMemoryOptions {
  slotCount: number;
  /** For one job, instead of its share of what is available. */
  bytesPerJob?: number | undefined;
}

/**
 * How much memory the files of a job may take while it runs. Commands that once needed more, or that for another
 * reason could not have been begun anew, are remembered (the latest 4096) and get none: their files are on disk.
 */
export class JobMemory {
  readonly #options: JobMemoryOptions;
  readonly #onDisk = new RememberedCommands();
  #shareBytes = 0;
  #validUntilMs = 0;

  constructor(options: JobMemoryOptions) {
    this.#options = options;
  }

  /** 0: its files are to be on disk. */
  bytesFor(job: Job): number {
    if (this.#onDisk.has(job)) return 0;
    return this.#options.bytesPerJob ?? this.#share();
  }

  /** From now on its files are on disk. */
  keepOnDisk(job: Job): void {
    this.#onDisk.add(job);
  }

  /** Asking the kernel takes 0.1 ms. */
  #share(): number {
    if (performance.now() >= this.#validUntilMs) {
      this.#validUntilMs = performance.now() + validMs;
      this.#shareBytes = Math.floor((process.availableMemory() * share) / this.#options.slotCount);
    }
    return this.#shareBytes < leastBytes ? 0 : this.#shareBytes;
  }
}
