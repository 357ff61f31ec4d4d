import type { Observation } from '../protocol/job.ts';
import { ageRanks } from './age-order.ts';
import { CountFlag, type Viewpoint } from './path-state.ts';

const ageFlags = CountFlag.compared | CountFlag.aged;

export interface StatesOptions {
  view: Viewpoint;
  /** See `ResultCacheOptions`. */
  distortState?: ((state: string, observation: Observation) => string) | undefined;
}

/**
 * The states of observed paths, in their order, followed by how those compare by age that count for it.
 *
 * @returns undefined when one cannot be told just now
 */
export function statesIn(
  tree: {
    state(observation: Observation, view: Viewpoint): string | undefined;
    timeNs(path: string): bigint | undefined;
  },
  observations: readonly Observation[],
  { view, distortState }: StatesOptions,
): string[] | undefined {
  const states: string[] = [];
  for (const observation of observations) {
    const state = tree.state(observation, view);
    if (state === undefined) return undefined;
    states.push(distortState?.(state, observation) ?? state);
  }
  const aged = observations.filter(({ flags }) => flags & ageFlags);
  const ranks = ageRanks(aged.map(({ path, flags }) => ({ flags, mtimeNs: tree.timeNs(path) })));
  return states.concat(ranks);
}
