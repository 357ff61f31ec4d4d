import { constants } from 'node:os';

type Environment = Readonly<Record<string, string | undefined>>;

/** What this process was to ignore and to block before Node changed that, as native/entry says; undefined: nothing. */
export function inheritedSignals(env: Environment): [ignored: string, blocked: string] | undefined {
  const [, ignored, blocked] = /^([0-9a-f]+) ([0-9a-f]+)$/.exec(env['TERMITE_SIGNALS'] ?? '') ?? [];
  return ignored !== undefined && blocked !== undefined ? [ignored, blocked] : undefined;
}

/** Goes on ignoring what was to be ignored. */
export function ignoreInherited(env: Environment): void {
  const ignored = BigInt(`0x${inheritedSignals(env)?.[0] ?? '0'}`);
  for (const [name, number] of Object.entries(constants.signals)) {
    const isIgnored = (ignored >> BigInt(number - 1)) & 1n;
    // A handler that does nothing; what this process starts is told by itself.
    if (isIgnored && name !== 'SIGKILL' && name !== 'SIGSTOP') process.on(name as NodeJS.Signals, () => {});
  }
}
