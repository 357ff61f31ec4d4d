const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export type EndSignal = (typeof signals)[number];

/**
 * Runs a daemon until it is told to end, and then dies of that same signal, so that whoever waits sees why. A second
 * signal while `close` runs ends it at once.
 *
 * @param close stops what runs; must not take longer than its own deadline
 */
export async function untilSignalled(close: () => Promise<void>): Promise<never> {
  const signal = await new Promise<EndSignal>((resolve) => {
    for (const each of signals) process.once(each, () => resolve(each));
  });
  const die = () => dieOf(signal);
  for (const each of signals) process.on(each, die);
  await close();
  return die();
}

function dieOf(signal: EndSignal): never {
  for (const each of signals) process.removeAllListeners(each);
  process.kill(process.pid, signal);
  // The default action has ended the process, unless the signal is blocked or this is the init of a container.
  process.exit(1);
}
