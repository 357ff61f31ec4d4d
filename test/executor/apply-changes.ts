import * as assert from 'uvu/assert';
import type { Change } from '../../protocol/job.ts';
import { MemoryTree } from './memory-tree.ts';

/** The tree that results from changes, which must be sorted, be based on `base`, and say only what is new. */
export function applyChanges(base: MemoryTree, changes: readonly Change[]): MemoryTree {
  const tree = new MemoryTree(base.nodes);
  const paths = changes.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length, 'each path once');
  for (const { path, base: before, node, linkGroup } of changes) {
    assert.equal(before, base.nodes.get(path) ?? null, `base of ${path}`);
    // A directory may give way to another one of the same age, or keep its time while its entries change.
    if (linkGroup === undefined && node?.type !== 'directory')
      assert.not.equal(node, before, `change of ${path}`);
    if (node?.type !== 'directory') tree.remove(path);
    if (node) {
      const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
      assert.is(tree.nodes.get(path === '' ? '' : parent)?.type, 'directory', `parent of ${path}`);
      const isKept = node.type === 'directory' && node.mtimeNs === undefined;
      tree.nodes.set(path, isKept ? { ...before, ...node } : node);
    }
  }
  return tree;
}
