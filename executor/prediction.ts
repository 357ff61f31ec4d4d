import { lookUpEntry } from '../cas/directory-lookup.ts';
import type { Digest } from '../protocol/digest.ts';
import type { Observation } from '../protocol/job.ts';
import type { SentDirectory } from './box-messages.ts';
import type { Content } from './content.ts';

const maxProjects = 16;
const maxDirectories = 128;
const maxSentBytes = 512 * 1024;
const patienceMs = 5;

/**
 * Guesses which directories of its project a job will look into: those that recent jobs of the same project did. What
 * travels with the job costs no round trip later.
 */
export class Prediction {
  /** Project → paths of directories, both in order of last use. */
  readonly #projects = new Map<string, Set<string>>();

  /** @param trace of a job of that project */
  learn(project: string, trace: readonly Observation[]): void {
    const paths = this.#projects.get(project) ?? new Set();
    moveToEnd(this.#projects, project, paths);
    let latest: string | undefined;
    for (const { path } of trace) {
      const directory = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (path === '' || directory === latest) continue;
      latest = directory;
      paths.delete(directory);
      paths.add(directory);
    }
    dropOldest(paths, maxDirectories);
    dropOldest(this.#projects, maxProjects);
  }

  /**
   * The predicted directories of a tree, the root first. Leaves out what would exceed 512 KiB, what has not come after
   * 5 ms, and what cannot be had: the job will ask for it if it needs it.
   */
  async collect(project: string, root: Digest, content: Content): Promise<SentDirectory[]> {
    const collected: SentDirectory[] = [];
    let sizeBytes = 0;
    const visit = async (digest: Digest, node: PathNode): Promise<void> => {
      const found = await content.directory(digest);
      if (!found.ok || sizeBytes + found.value.byteLength > maxSentBytes) return;
      const blob = found.value;
      sizeBytes += blob.byteLength;
      collected.push({ digest, bytes: blob });
      const visits: Promise<void>[] = [];
      for (const [name, child] of node) {
        const childDigest = lookUpEntry(blob, name)?.directories[0]?.digest;
        if (childDigest) visits.push(visit(childDigest, child));
      }
      await Promise.all(visits);
    };
    await settledWithin(patienceMs, visit(root, pathTree(this.#projects.get(project) ?? [])));
    return [...collected];
  }
}

/** Resolves when the work has ended, well or badly, or after a while. */
function settledWithin(ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    work.then(end, end);
  });
}

interface PathNode extends Map<string, PathNode> {}

function pathTree(paths: Iterable<string>): PathNode {
  const root: PathNode = new Map();
  for (const path of paths) {
    let node = root;
    for (const name of path === '' ? [] : path.split('/')) {
      let child = node.get(name);
      if (!child) {
        child = new Map();
        node.set(name, child);
      }
      node = child;
    }
  }
  return root;
}

function moveToEnd<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
}

function dropOldest<K>(
  items: { size: number; keys(): Iterator<K>; delete(key: K): boolean },
  maxCount: number,
): void {
  while (items.size > maxCount) items.delete(items.keys().next().value as K);
}
