/** The kernel stamps files with the time of its last tick: at most this much behind the clock (CONFIG_HZ=100). */
const tickNs = 20_000_000n;

/**
 * Whether a file may have got this time by being written while a command ran. Any other time was set on purpose, be it that of a file
 * that was written just before. All times are of the clock of the machine that it ran on.
 *
 * @param finishedNs undefined: not known
 */
export function isDuringRun(
  timeNs: bigint,
  { startedNs, finishedNs }: { startedNs: bigint; finishedNs?: bigint | undefined },
): boolean {
  return timeNs >= startedNs - tickNs && (finishedNs === undefined || timeNs <= finishedNs + tickNs);
}
