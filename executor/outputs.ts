import { constants, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { emptyDigest } from '../cas/digest.ts';
import type { Digest } from '../protocol/digest.ts';
import type { Manifest, Observation } from '../protocol/job.ts';
import { compareBytes, fsPath } from '../runtime/byte-path.ts';
import { type Result, succeed } from '../runtime/failure.ts';
import type { Limit } from '../runtime/limit.ts';
import { type DoneMessage, type UpperEntry, UpperFlag } from './box-messages.ts';
import { type BaseTree, harvest } from './harvest.ts';

const { S_IFMT, S_IFREG } = constants;
const parallelCount = 8;

export interface OutputStore {
  /** Copies a regular file into the store, following no link. */
  importFile(absolutePath: string): Promise<Digest>;
}

export interface OutputsOptions {
  done: DoneMessage;
  base: BaseTree;
  store: OutputStore;
}

/**
 * What a command that has ended did: takes its files into the store and says the rest. Failure:
 * `limit`. Rejects with AppError `disk-full`, and with what reading the base rejects with.
 */
export async function takeOutputs(options: OutputsOptions): Promise<Result<Manifest>> {
  const { done, base, store } = options;
  const take = async (path: string, sizeBytes: number) =>
    sizeBytes === 0 ? emptyDigest : store.importFile(path);
  const takeStream = (name: string) => {
    const path = join(done.filesDir, name);
    return take(path, lstatSync(fsPath(path)).size);
  };
  // Names of one file have one content: the first is taken.
  const contents = new Map<bigint, UpperEntry>();
  for (const entry of done.upper) {
    const isFile = (entry.mode & S_IFMT) === S_IFREG && !(entry.flags & UpperFlag.whiteout);
    if (isFile && !contents.has(entry.ino)) contents.set(entry.ino, entry);
  }
  const digests = new Map<bigint, Digest>();
  await forEachBounded([...contents.values()], async ({ ino, sizeBytes }) => {
    digests.set(ino, await take(join(done.filesDir, 'content', `${ino}`), sizeBytes));
  });
  const harvested = await harvest(done.upper, {
    base,
    digestOf: ({ ino }) => digests.get(ino)!,
    startedNs: done.startedNs,
    finishedNs: done.finishedNs,
  });
  if (!harvested.ok) return harvested;
  const { changes, observed } = harvested.value;
  return succeed({
    status:
      done.kind === 'signal' ? { kind: 'signal', signal: done.value } : { kind: 'exit', code: done.value },
    stdout: await takeStream('stdout'),
    stderr: await takeStream('stderr'),
    changes,
    reached: [...done.noticed, ...done.outside.map((path): Limit => ({ kind: 'left-outside', path }))],
    hiddenTrace: done.hiddenTrace,
    trace: observed.length === 0 ? done.trace : mergeTraces(done.trace, observed),
    startedNs: done.startedNs,
    finishedNs: done.finishedNs,
    resources: { userUs: done.userUs, systemUs: done.systemUs, maxRssKib: done.maxRssKib },
  });
}

function mergeTraces(...traces: Observation[][]): Observation[] {
  const merged = new Map<string, number>();
  for (const { path, flags } of traces.flat()) merged.set(path, (merged.get(path) ?? 0) | flags);
  return [...merged].map(([path, flags]) => ({ path, flags })).sort((a, b) => compareBytes(a.path, b.path));
}

async function forEachBounded<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < items.length) await action(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(parallelCount, items.length) }, work));
}
