import { measureSlowness, patience } from './slowness.ts';

export interface DeadlineOptions {
  /** On a usual machine. */
  usualMs: number;
  /** Told when the deadline is put off: how many milliseconds may pass from now on. */
  onExtended?: (ms: number) => void;
  /** How many times slower than a usual machine this one is now. */
  measure?: () => number;
}

/**
 * Runs `body`, and rejects when it is not done by a deadline that follows the machine: when it has passed, the machine is measured
 * anew, and more time is given as long as it has become slower than it was.
 */
export async function withDeadline(
  body: () => unknown,
  { usualMs, onExtended, measure = measureSlowness }: DeadlineOptions,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let allowedMs = patience(usualMs);
  const deadline = new Promise((_resolve, reject) => {
    const expire = () => {
      const neededMs = Math.ceil(usualMs * measure());
      if (neededMs <= allowedMs) {
        reject(new Error(`Test missed its deadline of ${allowedMs} ms`));
        return;
      }
      const moreMs = neededMs - allowedMs;
      allowedMs = neededMs;
      onExtended?.(moreMs);
      timer = setTimeout(expire, moreMs);
    };
    timer = setTimeout(expire, allowedMs);
  });
  try {
    await Promise.race([(async () => body())(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
