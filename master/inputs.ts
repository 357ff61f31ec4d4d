import type { Digest } from '../protocol/digest.ts';
import type { Observation, TreeNode } from '../protocol/job.ts';
import type { FormerTree, Viewpoint } from './path-state.ts';

/** What commands can look at, for the cache of results: the project and the machine around it, as states (path-state.ts). */
export interface Inputs {
  /** The state of a path in the project now; undefined when it cannot be told just now. Synchronous: see `ResultCache`. */
  state(observation: Observation, view: Viewpoint): string | undefined;
  /** When a file, directory or symlink of the project was changed last; undefined for anything else. */
  timeNs(path: string): bigint | undefined;
  /** What stands at a path in the project now. */
  node(path: string): TreeNode | null;
  /** The project as it was when a job was submitted. */
  former(root: Digest): FormerTree;
  /** See `SystemLayer.describe`. */
  describeSystem(observation: Observation): Promise<string>;
}
