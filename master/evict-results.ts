import { z } from 'zod';
import type { ActionCache, ActionRecord } from '../cas/action-cache.ts';
import { type Digest, digestSchema } from '../protocol/digest.ts';

export interface EvictionOptions {
  /** Whether content is there. To be asked for here is no use of it. */
  isStored: (digest: Digest) => boolean;
  /** How much all records of results may take up. */
  maxBytes: number;
}

/** The part of a result that says what it needs and what needs it. */
const resultSchema = z.object({
  /** Of its path set: `<weak fingerprint> <path set>`. */
  set: z.string(),
  generation: z.string(),
  storedMs: z.number(),
  manifest: z.object({
    stdout: digestSchema,
    stderr: digestSchema,
    changes: z.array(z.object({ node: z.looseObject({ digest: digestSchema.optional() }).nullable() })),
  }),
});
const weakSchema = z.object({ sets: z.array(z.string()), likeness: z.string().optional() });
const usedSchema = z.object({ usedMs: z.number() });

interface Candidate {
  key: string;
  set: string;
  usedMs: number;
  sizeBytes: number;
}

/** All content that a result needs. */
export function contentOfResult({ manifest }: Pick<z.infer<typeof resultSchema>, 'manifest'>): Digest[] {
  const files = manifest.changes.flatMap(({ node }) => (node?.digest ? [node.digest] : []));
  return [manifest.stdout, manifest.stderr, ...files];
}

/** The hashes of all content that results need. */
export async function contentOfResults(cache: Pick<ActionCache, 'read'>): Promise<Set<string>> {
  const hashes = new Set<string>();
  for await (const { value } of cache.read('r ')) {
    const result = resultSchema.safeParse(value);
    if (result.success) for (const { hash } of contentOfResult(result.data)) hashes.add(hash);
  }
  return hashes;
}

/**
 * Drops from the records of `ResultCache` what can be of no use any more, and then the results that were not used for
 * longest until the others fit into `maxBytes`:
 *
 *     result `r` ─ needs its content, its generation `g`, and to be named by its path set
 *     path set `s`, the states of its latest run `t` ─ needed by a result
 *     the path sets of a command `w` ─ those that are needed; and with the last of them its traits `q`
 *     last use of a result `u`
 *
 * Nothing may be stored meanwhile: a result that is may be lost. @returns how many results were dropped
 */
export async function evictResults(
  cache: Pick<ActionCache, 'read' | 'sizes' | 'write'>,
  { isStored, maxBytes }: EvictionOptions,
): Promise<number> {
  const generations = new Set<string>();
  for await (const { key } of cache.sizes('g ')) generations.add(key.slice(2));
  const usedMs = new Map<string, number>();
  for await (const { key, value } of cache.read('u ')) {
    const used = usedSchema.safeParse(value);
    if (used.success) usedMs.set(key.slice(2), used.data.usedMs);
  }
  const commands = new Map<string, z.infer<typeof weakSchema>>();
  for await (const { key, value } of cache.read('w ')) {
    const command = weakSchema.safeParse(value);
    if (command.success) commands.set(key.slice(2), command.data);
  }
  const sizes = new Map<string, number>();
  for (const kind of ['s', 't']) {
    for await (const { key, sizeBytes } of cache.sizes(`${kind} `)) {
      const set = key.slice(2);
      sizes.set(set, (sizes.get(set) ?? 0) + sizeBytes);
    }
  }

  const candidates: Candidate[] = [];
  let resultCount = 0;
  for await (const { key, value, sizeBytes } of cache.read('r ')) {
    resultCount += 1;
    const result = resultSchema.safeParse(value);
    if (!result.success) continue;
    const { set, generation, storedMs } = result.data;
    const [weak = '', id = ''] = set.split(' ');
    const isReachable = generations.has(generation) && commands.get(weak)?.sets.includes(id);
    if (!isReachable || !contentOfResult(result.data).every(isStored)) continue;
    candidates.push({ key: key.slice(2), set, usedMs: usedMs.get(key.slice(2)) ?? storedMs, sizeBytes });
  }
  const kept = new Set<string>();
  const sets = new Set<string>();
  let keptBytes = 0;
  for (const { key, set, sizeBytes } of candidates.sort((a, b) => b.usedMs - a.usedMs)) {
    keptBytes += sizeBytes + (sets.has(set) ? 0 : (sizes.get(set) ?? 0));
    if (keptBytes > maxBytes) break;
    kept.add(key);
    sets.add(set);
  }

  const records: ActionRecord[] = [];
  const likenesses = new Set<string | undefined>();
  for (const [weak, { sets: ids, likeness }] of commands) {
    const needed = ids.filter((id) => sets.has(`${weak} ${id}`));
    if (needed.length > 0) likenesses.add(likeness);
    if (needed.length === ids.length) continue;
    records.push({ key: `w ${weak}`, ...(needed.length > 0 && { value: { sets: needed, likeness } }) });
  }
  const isNeeded: Record<string, (name: string) => boolean> = {
    r: (key) => kept.has(key),
    u: (key) => kept.has(key),
    s: (set) => sets.has(set),
    t: (set) => sets.has(set),
    q: (likeness) => likenesses.has(likeness),
  };
  for (const [kind, isKept] of Object.entries(isNeeded)) {
    for await (const { key } of cache.sizes(`${kind} `)) if (!isKept(key.slice(2))) records.push({ key });
  }
  await cache.write(records);
  return resultCount - kept.size;
}
