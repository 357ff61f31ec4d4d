import type { Observation } from '../protocol/job.ts';

type Distort = (state: string, observation: Observation) => string;

/** Ways to break the fingerprint on purpose, for the tests that have to notice it (`TERMITE_TEST_DISTORT`). */
export const distortions: Readonly<Record<string, Distort>> = {
  /** All files with one mode have one content. */
  content: (state) => (state.startsWith('f ') ? state.split(' ', 2).join(' ') : state),
  /** What was looked for and not found does not matter. */
  absent: (state, { flags }) => (flags === 2 ? 'absent' : state),
  /** All folders hold the same. */
  names: (state) => (state.startsWith('d ') ? 'd' : state),
};
