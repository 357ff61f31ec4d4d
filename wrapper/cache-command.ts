import type { ControlReply } from '../protocol/control.ts';
import { AppError } from '../runtime/app-error.ts';
import type { Environment } from './command.ts';
import { findProject, projectAt } from './find-socket.ts';
import { splitOwnFlags } from './own-flags.ts';
import { openSession } from './start-master.ts';

const help = `termite cache [--root DIR] stats|gc|verify|clear
Looks after past results. Results belong to a project; the content of their outputs is in one store for all projects.

  stats            Prints how much is kept, and how often it was of use
  gc [--max SIZE]  Drops the content that was not used for longest, until SIZE is left, e.g. 500M (default: 20G)
  verify           Hashes all content and drops what is bad
  clear            Forgets all results of the project
  --root DIR       Root of the project (default: where a master runs, else the current folder)
  --help           Prints this
`;

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** @throws AppError `bad-arguments` */
export async function cacheCommand(argv: readonly string[], env: Environment): Promise<void> {
  const own = { command: 'termite cache', valued: ['root'], plain: ['help'] };
  const { flags, rest } = splitOwnFlags(argv, own);
  if (flags.has('help')) return void process.stdout.write(help);
  const [action, ...more] = rest;
  const { flags: limits } = splitOwnFlags(more, { command: 'termite cache gc', valued: ['max'], plain: [] });
  const root = flags.get('root');
  const project =
    root === undefined ? (findProject('.', env['TERMITE_SOCKET']) ?? projectAt('.')) : projectAt(root);
  const maxBytes = sizeOf(limits.get('max') ?? '20G');
  const isKnown = action === 'stats' || action === 'gc' || action === 'verify' || action === 'clear';
  if (!isKnown) throw badArguments(`Unknown action "${action ?? ''}"`);
  using session = await openSession(project, { env, onEvent: () => {} });
  const { client } = session;
  const ask = {
    stats: () => client.ask('cache-statistics'),
    gc: () => client.ask('cache-collect', { maxBytes }),
    verify: () => client.ask('cache-verify'),
    clear: () => client.ask('cache-clear'),
  };
  const reply = await ask[action]();
  // Closes the session before we return: a master that was started for it is then out of the way.
  await client.ask('report');
  process.stdout.write(`${describe(reply).join('\n')}\n`);
}

function describe({ statistics, store }: Extract<ControlReply, { op: 'cache' }>): string[] {
  const lines = [`store      ${store.blobCount} blobs, ${showSize(store.sizeBytes)}`];
  if (store.droppedCount > 0) lines.push(`dropped    ${store.droppedCount} blobs`);
  if (!statistics) return [...lines, 'results    not to be had'];
  const { resultCount, quarantinedCount, sizeBytes, hits, savedMs, misses, notStored } = statistics;
  const missCount = Object.values(misses).reduce((sum, count) => sum + count, 0);
  return [
    ...lines,
    `results    ${resultCount}, ${showSize(sizeBytes)}`,
    ...(quarantinedCount > 0 ? [`quarantine ${quarantinedCount} results that were not reproduced`] : []),
    `hits       ${hits}, saved ${(savedMs / 1000).toFixed(1)} s`,
    `misses     ${missCount}${showReasons(misses)}`,
    `not kept   ${Object.values(notStored).reduce((sum, count) => sum + count, 0)}${showReasons(notStored)}`,
  ];
}

function showReasons(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([reason, count]) => `${count} ${reason}`);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

function showSize(bytes: number): string {
  return bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function sizeOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([KMGT]?)$/.exec(text) ?? [];
  if (digits === undefined) throw badArguments(`Not a size: "${text}"`);
  return Number(digits) * units[unit]!;
}

function badArguments(problem: string): AppError {
  return new AppError(`"termite cache": ${problem}`, {
    ...{ code: 'bad-arguments', category: 'caller', hint: 'See "termite cache --help"' },
  });
}
