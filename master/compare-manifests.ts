import type { Manifest, TreeNode } from '../protocol/job.ts';
import { compareBytes } from '../runtime/byte-path.ts';

/** One thing that two runs of a command did differently. */
export type Deviation =
  /** `null`: nothing stands there. Paths are relative to the project's root. */
  | { kind: 'path'; path: string; was: TreeNode | null; is: TreeNode | null }
  /** The same files, but others of them are names of one file. */
  | { kind: 'links'; path: string }
  | { kind: 'stdout' | 'stderr'; was: Manifest['stdout']; is: Manifest['stdout'] }
  | { kind: 'status'; was: Manifest['status']; is: Manifest['status'] };

/**
 * What two runs of a command on one state of the project did differently, times aside: what they left at each path that
 * either of them changed, what they printed, and how they ended. Files come first, in the order of their paths.
 *
 * What they left is compared, not the lists of changes: what stood there already is listed by one and not by the other
 * when only the time that it got was another.
 *
 * @param baseOf what stood at a path before
 */
export function compareManifests(
  was: Manifest,
  is: Manifest,
  baseOf: (path: string) => TreeNode | null,
): Deviation[] {
  const [before, after] = [new Leavings(was, baseOf), new Leavings(is, baseOf)];
  const paths = [...new Set([...before.paths, ...after.paths])].sort(compareBytes);
  const deviations: Deviation[] = paths.flatMap((path): Deviation[] => {
    const [one, other] = [before.at(path), after.at(path)];
    if (!isSame(one, other)) return [{ kind: 'path', path, was: one, is: other }];
    const areListed = before.paths.has(path) && after.paths.has(path);
    return areListed && before.linkedTo(path) !== after.linkedTo(path) ? [{ kind: 'links', path }] : [];
  });
  for (const kind of ['stdout', 'stderr'] as const) {
    if (was[kind].hash !== is[kind].hash) deviations.push({ kind, was: was[kind], is: is[kind] });
  }
  if (!isSameEnd(was.status, is.status)) deviations.push({ kind: 'status', was: was.status, is: is.status });
  return deviations;
}

/** What a manifest leaves at the paths of a project. */
class Leavings {
  readonly paths: ReadonlySet<string>;
  readonly #nodes: ReadonlyMap<string, TreeNode | null>;
  readonly #groups = new Map<string, number>();
  readonly #baseOf: (path: string) => TreeNode | null;

  constructor({ changes }: Manifest, baseOf: (path: string) => TreeNode | null) {
    this.#nodes = new Map(changes.map(({ path, node }) => [path, node]));
    this.paths = new Set(this.#nodes.keys());
    for (const { path, linkGroup } of changes) if (linkGroup !== undefined) this.#groups.set(path, linkGroup);
    this.#baseOf = baseOf;
  }

  at(path: string): TreeNode | null {
    const changed = this.#nodes.get(path);
    if (changed !== undefined) return changed;
    // The children of a deleted directory are not listed.
    for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) {
      const node = this.#nodes.get(parent);
      if (node === null || (node && node.type !== 'directory')) return null;
    }
    return this.#baseOf(path);
  }

  /** The first name of the file that has this name, among those listed. */
  linkedTo(path: string): string {
    const group = this.#groups.get(path);
    if (group === undefined) return path;
    return [...this.#groups].find(([, other]) => other === group)![0];
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function isSame(a: TreeNode | null, b: TreeNode | null): boolean {
  if (a === null || b === null) return a === b;
  if (a.type === 'symlink') return b.type === 'symlink' && a.target === b.target;
  if (a.type !== b.type || a.mode !== b.mode) return false;
  return a.type !== 'file' || (b.type === 'file' && a.digest.hash === b.digest.hash);
}

function isSameEnd(a: Manifest['status'], b: Manifest['status']): boolean {
  if (a.kind === 'exit') return b.kind === 'exit' && a.code === b.code;
  return b.kind === 'signal' && a.signal === b.signal;
}
