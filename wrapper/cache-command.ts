import type { MasterClient } from '../master/master-client.ts';
import type { ControlReply } from '../protocol/control.ts';
import { AppError } from '../runtime/app-error.ts';
import { printLines } from '../runtime/say.ts';
import type { Environment } from './command.ts';
import { projectAround, projectAt } from './find-socket.ts';
import { splitOwnFlags } from './own-flags.ts';
import { openSession } from './start-master.ts';

const help = `termite cache [--root DIR] stats|gc|verify|clear
Looks after past results. Results belong to a project; the content of their outputs is in one store for all projects.

  stats            Prints how much is kept, and how often it was of use
  gc [--size SIZE] Drops the content that was not used for longest, until SIZE is left, e.g. 500M, and the results that
                   needed it (default: what may be kept at all, see "termite master --help")
  verify           Hashes all content and drops what is bad
  clear            Forgets all results of the project, and drops the content that only they need
  --root DIR       Root of the project (default: where a master runs, else the current folder)
  --help           Prints this
`;

type Reply = Extract<ControlReply, { op: 'cache' }>;

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** @throws AppError `bad-arguments` */
export async function cacheCommand(argv: readonly string[], env: Environment): Promise<void> {
  const own = { command: 'termite cache', valued: ['root'], plain: ['help'] };
  const { flags, rest } = splitOwnFlags(argv, own);
  if (flags.has('help') || rest.includes('--help')) return void process.stdout.write(help);
  const ask = parseAction(rest);
  const root = flags.get('root');
  const project = root === undefined ? projectAround('.', env) : projectAt(root, env);
  using session = await openSession(project, { env, onEvent: () => {} });
  const { client } = session;
  const reply = await ask(client);
  // Closes the session before we return: a master that was started for it is then out of the way.
  await client.ask('report');
  printLines(describe(reply));
}

/** @returns how to ask a master for it */
function parseAction([action, ...more]: readonly string[]): (client: MasterClient) => Promise<Reply> {
  const valued = action === 'gc' ? ['size'] : [];
  const { flags, rest } = splitOwnFlags(more, { command: `termite cache ${action}`, valued, plain: [] });
  const size = flags.get('size');
  const limit = size === undefined ? {} : { maxBytes: sizeOf(size) };
  const actions: Readonly<Record<string, (client: MasterClient) => Promise<Reply>>> = {
    stats: (client) => client.ask('cache-statistics'),
    gc: (client) => client.ask('cache-collect', limit),
    verify: (client) => client.ask('cache-verify'),
    clear: (client) => client.ask('cache-clear'),
  };
  if (action === undefined) throw badArguments('An action is missing');
  if (!Object.hasOwn(actions, action)) throw badArguments(`Unknown action "${action}"`);
  if (rest.length > 0) throw badArguments(`"${action}" does not know "${rest[0]}"`);
  return actions[action]!;
}

function describe({ statistics, store, droppedResultCount = 0, isContentKept = false }: Reply): string[] {
  const { blobCount, sizeBytes: storeBytes, maxBytes, droppedCount } = store;
  const lines = [`store      ${blobCount} blobs, ${showSize(storeBytes)} of ${showSize(maxBytes)}`];
  if (droppedCount + droppedResultCount > 0)
    lines.push(`dropped    ${droppedCount} blobs, ${droppedResultCount} results`);
  if (isContentKept) lines.push('left       all blobs: a master of another project runs, and may need them');
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
  if (bytes < 2 ** 20) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function sizeOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([KMGT]?)$/.exec(text) ?? [];
  const bytes = Number(digits) * units[unit]!;
  if (!Number.isSafeInteger(bytes)) throw badArguments(`Not a size: "${text}"`);
  return bytes;
}

function badArguments(problem: string): AppError {
  return new AppError(`"termite cache": ${problem}`, {
    ...{ code: 'bad-arguments', category: 'caller', hint: 'See "termite cache --help"' },
  });
}
