import type { WriteStream } from 'node:tty';
import { showLine } from '../runtime/say.ts';

interface Progress {
  done: number;
  running: number;
  latest: string;
}

/** Short builds need none. */
const delayMs = 500;
const minRows = 5;

/**
 * One line on the terminal's last row that tells how the build goes. Everything else is printed by make and its shells,
 * which know nothing of it: so that row is taken out of what scrolls while the line is there (DECSTBM, VT100), and what
 * they print never meets it.
 */
export class StatusLine implements Disposable {
  readonly #terminal: WriteStream;
  readonly #dim: (text: string) => string;
  readonly #startedMs = Date.now();
  readonly #onResize = () => this.#reserve();
  #isShown = false;

  /** @param hasColor whether it may be set apart by more than its place */
  constructor(terminal: WriteStream, { hasColor }: { hasColor: boolean }) {
    this.#terminal = terminal;
    this.#dim = hasColor ? (text) => `\x1b[2m${text}\x1b[m` : (text) => text;
  }

  show(progress: Progress): void {
    const { rows, columns } = this.#terminal;
    if (rows < minRows || Date.now() - this.#startedMs < delayMs) return;
    if (!this.#isShown) {
      this.#isShown = true;
      this.#reserve();
      this.#terminal.on('resize', this.#onResize);
    }
    const text = this.#dim(statusText(progress, columns));
    this.#terminal.write(`\x1b7\x1b[${rows};1H\x1b[K${text}\x1b8`);
  }

  /** Erases it and gives the row back. */
  [Symbol.dispose](): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.#terminal.off('resize', this.#onResize);
    this.#terminal.write(`\x1b7\x1b[${this.#terminal.rows};1H\x1b[K\x1b[r\x1b8`);
  }

  /** Scrolls once, in case the cursor is on the last row, and brings it back: setting the region moves it. */
  #reserve(): void {
    this.#terminal.write(`\x1bD\x1b[A\x1b7\x1b[1;${this.#terminal.rows - 1}r\x1b8`);
  }
}

/** `[ 12 ] 8 running  cc -c foo.c`, no longer than the terminal is wide. */
export function statusText({ done, running, latest }: Progress, columns: number): string {
  return `[ ${done} ] ${running} running  ${showLine(latest)}`.slice(0, Math.max(0, columns - 1));
}
