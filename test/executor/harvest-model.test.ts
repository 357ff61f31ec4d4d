import * as assert from 'uvu/assert';
import { harvest } from '../../executor/harvest.ts';
import { manifestSchema, type TreeNode } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { applyChanges } from './apply-changes.ts';
import { directory, file, MemoryTree, symlink } from './memory-tree.ts';
import { OverlayModel } from './overlay-model.ts';
import { Random } from './random.ts';

const seed = Number(process.env['TEST_SEED'] ?? 4711);
const roundCount = 1_500;
const names = ['a', 'b', 'c'];

/** Times are all explicit here: none lies within the run. */
const run = { startedNs: 10n ** 18n, finishedNs: 10n ** 18n };

function randomPath(random: Random): string {
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(names)).join('/');
}

function randomNode(random: Random): TreeNode {
  const mtimeNs = BigInt(random.below(5));
  switch (random.below(4)) {
    case 0:
      return symlink(`target-${random.below(3)}`, mtimeNs);
    case 1:
      return file(`content ${random.below(3)}`, { mode: random.pick([0o644, 0o755]), mtimeNs });
    default:
      return directory({ mode: random.pick([0o755, 0o700]), mtimeNs });
  }
}

function randomTree(random: Random): MemoryTree {
  const tree = new MemoryTree([['', directory({ mtimeNs: 0n })]]);
  for (let count = random.below(60); count > 0; count--) {
    const path = randomPath(random);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (tree.nodes.get(parent)?.type === 'directory' && !tree.nodes.has(path))
      tree.nodes.set(path, randomNode(random));
  }
  return tree;
}

function step(overlay: OverlayModel, random: Random): string {
  const path = randomPath(random);
  const other = randomPath(random);
  const operation = random.pick([
    'create',
    'change',
    'remove',
    'rename',
    'rename',
    'link',
    'remove-all',
  ] as const);
  try {
    switch (operation) {
      case 'create':
      case 'change':
        overlay[operation](path, randomNode(random));
        break;
      case 'remove':
        overlay.remove(path);
        break;
      case 'remove-all':
        removeAll(overlay, path);
        break;
      default:
        overlay[operation](path, other);
    }
  } catch (error) {
    if (error instanceof Error && /^E[A-Z]+$/.test(error.message)) return '';
    throw error;
  }
  return `${operation} ${path} ${other}\n`;
}

function removeAll(overlay: OverlayModel, path: string): void {
  for (const name of overlay.names(path)) removeAll(overlay, `${path}/${name}`);
  overlay.remove(path);
}

function merged(overlay: OverlayModel, tree = new MemoryTree(), path = ''): MemoryTree {
  tree.nodes.set(path, overlay.look(path)!);
  for (const name of overlay.names(path)) merged(overlay, tree, path === '' ? name : `${path}/${name}`);
  return tree;
}

/** What a master takes. */
const { changes: changesSchema } = manifestSchema.shape;

const sorted = (tree: MemoryTree) => [...tree.nodes].sort(([a], [b]) => (a < b ? -1 : 1));

suite('harvest()', (test) => {
  test(`gives what leads from the base to the merged tree, for random layers (TEST_SEED=${seed})`, async () => {
    const random = new Random(seed);
    let changeCount = 0;
    for (let round = 0; round < roundCount; round++) {
      const base = randomTree(random);
      const overlay = new OverlayModel(base);
      const history = Array.from({ length: random.below(50) }, () => step(overlay, random)).join('');
      const result = await harvest(overlay.entries(), {
        base,
        digestOf: (entry) => overlay.digestOf(entry),
        ...run,
      });
      assert.ok(result.ok);
      const { changes } = result.value;
      changeCount += changes.length;
      try {
        changesSchema.parse(changes);
        assert.equal(sorted(applyChanges(base, changes)), sorted(merged(overlay)));
      } catch (error) {
        throw new Error(
          `round ${round}: ${sorted(base).map(([path, { type }]) => `${path} ${type}`)}\n${history}`,
          {
            cause: error,
          },
        );
      }
    }
    assert.ok(changeCount > roundCount, `${changeCount} changes`);
  });
});
