import { CountFlag } from './path-state.ts';

/** Something whose age a command may have looked at; without a time there is nothing there. */
export interface Aged {
  flags: number;
  mtimeNs: bigint | undefined;
}

interface Group {
  from: bigint;
  to: bigint;
}

/**
 * What a command overwrites it brings into place in one go, with a distance between the times that is left to chance.
 * Only there are such differences of no account.
 */
const togetherNs = 2_000_000_000n;
const nowhere = -1;

/**
 * How files compare by age, as far as a command may have compared them: ranks, in the order of `all`, that are the same
 * if and only if each file that is `compared` is older than, as old as, or newer than each other one as before. Files that are only
 * `aged` are told apart from those, not from each other, so that the order in which sources were checked out is of no account.
 * Entries with neither flag get no rank.
 */
export function ageRanks(all: readonly Aged[]): string[] {
  const groups = groupsOf(all);
  return all.flatMap(({ flags, mtimeNs }) => {
    if (!(flags & (CountFlag.compared | CountFlag.aged))) return [];
    return [`${mtimeNs === undefined ? nowhere : rankOf(mtimeNs, groups)}`];
  });
}

/** Even numbers are those of the groups themselves, odd ones lie between. */
function rankOf(mtimeNs: bigint, groups: readonly Group[]): number {
  let [low, high] = [0, groups.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (groups[middle]!.to < mtimeNs) low = middle + 1;
    else high = middle;
  }
  const group = groups[low];
  return 2 * low + (group && mtimeNs >= group.from ? 1 : 0);
}

/** The times of what is compared, oldest first. Neighbours that are nothing but overwritten files are one group. */
function groupsOf(all: readonly Aged[]): Group[] {
  const groups: Group[] = [];
  let hasJoinable = false;
  for (const [mtimeNs, kinds] of kindsByTime(all)) {
    const isJoinable = kinds === Kind.overwritten;
    const last = groups.at(-1);
    if (isJoinable && hasJoinable && mtimeNs - last!.to < togetherNs) last!.to = mtimeNs;
    else if (kinds !== Kind.aged) groups.push({ from: mtimeNs, to: mtimeNs });
    hasJoinable = isJoinable;
  }
  return groups;
}

const Kind = { aged: 1, compared: 2, overwritten: 4 } as const;

/** Each time once, oldest first, with what kinds of files have it. */
function kindsByTime(all: readonly Aged[]): [mtimeNs: bigint, kinds: number][] {
  const kinds = new Map<bigint, number>();
  for (const { flags, mtimeNs } of all) {
    if (mtimeNs === undefined || !(flags & (CountFlag.compared | CountFlag.aged))) continue;
    const compared = flags & CountFlag.overwritten ? Kind.overwritten : Kind.compared;
    kinds.set(mtimeNs, (kinds.get(mtimeNs) ?? 0) | (flags & CountFlag.compared ? compared : Kind.aged));
  }
  return [...kinds].sort(([a], [b]) => (a < b ? -1 : 1));
}
