import type { CommandRecord } from '../protocol/build-log.ts';

/** What a command of a build does, as far as its line tells. */
export type CommandKind = 'compile' | 'archive' | 'link' | 'other';

/** How the commands of a kind were answered; those that are kept beside make on purpose are none of them. */
export interface HitRate {
  hits: number;
  misses: number;
  /** Reason → how many, of the misses: run by an executor, or beside make since they reached a limit or failed there. */
  reasons: Record<string, number>;
}

/** Reasons for which a command runs beside make whatever the cache holds: it is cheap, or starts what counts itself. */
const keptReasons = new Set(['rule', 'recursive', 'build-tool', 'trivial', 'background', 'terminal']);

const compiler = /(?:^|[\s;&|(/])(?:[\w.+]+-)*(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(?:-[\d.]+)?\s/;
const archiver = /(?:^|[\s;&|(/])(?:[\w.+]+-)*(?:ar|ranlib)\s/;

/** Libtool and depcomp, which name their tool later in the line, are what they start. */
export function kindOf(line: string): CommandKind {
  if (archiver.test(line)) return 'archive';
  if (!compiler.test(line)) return 'other';
  return /\s-(?:c|S|E)\s/.test(line) || /--mode=compile\s/.test(line) ? 'compile' : 'link';
}

/** Hits and misses by kind, for the kinds that occur; and of all together. */
export function hitRates(commands: readonly CommandRecord[]): Record<string, HitRate> {
  const rates: Record<string, HitRate> = {};
  const count = (kind: string, command: CommandRecord) => {
    rates[kind] ??= { hits: 0, misses: 0, reasons: {} };
    const rate = rates[kind];
    if (command.where === 'cache') {
      rate.hits += 1;
      return;
    }
    rate.misses += 1;
    const reason = `${command.where}: ${command.reason ?? 'unknown'}`;
    rate.reasons[reason] = (rate.reasons[reason] ?? 0) + 1;
  };
  for (const command of commands) {
    if (command.where === 'local' && keptReasons.has(command.reason ?? '')) continue;
    count(kindOf(command.line), command);
    count('all', command);
  }
  return rates;
}

/** Percent, with one digit, rounded down: 100 is said only of all. */
export function percentOf({ hits, misses }: HitRate): string {
  return (Math.floor((hits / (hits + misses)) * 1000) / 10).toFixed(1);
}

/** Rows for a table, with a heading. */
export function hitRateRows(rates: Record<string, HitRate>): string[][] {
  const order = ['compile', 'archive', 'link', 'other', 'all'];
  return [
    ['', 'hits', 'misses', '%'],
    ...order.flatMap((kind) => {
      const rate = rates[kind];
      return rate ? [[kind, `${rate.hits}`, `${rate.misses}`, percentOf(rate)]] : [];
    }),
  ];
}
