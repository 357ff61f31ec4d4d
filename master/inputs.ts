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
  /** Whether what stands there is a file with further names, in the project or elsewhere. */
  hasOtherNames(path: string): boolean;
  /** The other names in the project of the file that stands there. */
  otherNames(path: string): string[];
  /** Whether a look at the project in a sandbox misses something that stands there, such as a socket. */
  isConcealed(observation: Observation): boolean;
  /** The project as it was when a job was submitted. */
  former(root: Digest): FormerTree;
  /** See `SystemLayer.describe`. */
  describeSystem(observation: Observation): Promise<string>;
}
