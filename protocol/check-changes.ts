import type { z } from 'zod';
import { compareBytes } from '../runtime/byte-path.ts';

/** The part of a change that is looked at here, see protocol/job.ts. */
interface Change {
  path: string;
  node: Node | null;
  linkGroup?: number | undefined;
}

interface Node {
  type: string;
  mode?: number;
  digest?: { hash: string };
}

/**
 * What whoever applies changes relies on: each path once, parents before children, nothing below what the same changes make no
 * directory of, the project itself a directory, and one content for all names of a file.
 */
export function checkChanges(changes: readonly Change[], context: z.RefinementCtx): void {
  const nodes = new Map<string, Node | null>();
  const leaders = new Map<number, Node | null>();
  for (const [index, { path, node, linkGroup }] of changes.entries()) {
    const refuse = (why: string) => context.addIssue({ code: 'custom', path: [index, 'path'], message: why });
    if (index > 0 && compareBytes(changes[index - 1]!.path, path) >= 0)
      return refuse('is out of order, or there twice');
    if (path === '' && node?.type !== 'directory') return refuse('is the project and must stay a directory');
    if (hasNoDirectoryAbove(path, nodes)) return refuse('lies below what is no directory any more');
    nodes.set(path, node);
    if (linkGroup === undefined) continue;
    const leader = leaders.get(linkGroup) ?? node;
    leaders.set(linkGroup, leader);
    if (!isOneFile(leader, node)) return refuse('is no further name of the same file');
  }
}

function hasNoDirectoryAbove(path: string, nodes: ReadonlyMap<string, Node | null>): boolean {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const above = nodes.get(path.slice(0, end));
    // What is above that was judged when its turn was.
    if (above !== undefined) return above?.type !== 'directory';
  }
  return false;
}

function isOneFile(a: Node | null, b: Node | null): boolean {
  return a?.type === 'file' && b?.type === 'file' && a.digest?.hash === b.digest?.hash && a.mode === b.mode;
}
