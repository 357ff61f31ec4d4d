import { readFileSync } from 'node:fs';

let known: string | undefined;

/** Names the time since this machine was started: what an earlier one has not synced may be lost. */
export function bootId(): string {
  known ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return known;
}
