import { execFileSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Change } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { applyChanges } from './apply-changes.ts';
import { readTree } from './disk-origin.ts';
import { executorRig } from './executor-rig.ts';
import type { MemoryTree } from './memory-tree.ts';
import { Random } from './random.ts';

const seed = Number(process.env['TEST_SEED'] ?? 20261121);
const roundCount = 24;
const commandCount = 30;
/** What `touch -d` sets: far from any time at which this runs. */
const explicitTimes = ['@1000000000', '@1500000000.123456789', '@4000000000', '@-86400.25', '@13569465600'];

suite('What a command does in the sandbox', (test) => {
  test(
    `is what it does without, for random commands (TEST_SEED=${seed})`,
    async () => {
      await using rig = await executorRig();
      const random = new Random(seed);
      for (let round = 0; round < roundCount; round++) {
        const native = rig.dir.join(`native-${round}`);
        const project = rig.dir.join(`project-${round}`);
        execFileSync('sh', ['-c', `mkdir "$0" && cd "$0" && ${setUp}`, project]);
        execFileSync('cp', ['-a', project, native]);
        const commands = Array.from({ length: commandCount }, () => randomCommand(random));
        const script = [...commands, 'true'].join('\n');
        execFileSync('sh', ['-c', script], { cwd: native, stdio: 'ignore' });
        const base = readTree(project);
        const { manifest } = await rig.sh(script, {
          projectRoot: project,
          cwd: project,
          root: rig.origin.snapshot(project),
        });
        const message = `round ${round}:\n${script}\n`;
        try {
          const result = applyChanges(base, manifest.changes);
          assert.equal(comparable(result, manifest.changes), comparable(readTree(native)));
          assert.equal(
            linkedNames(manifest.changes, result),
            linkedNamesOnDisk(native, result),
            'hard links',
          );
        } catch (error) {
          throw new Error(message, { cause: error });
        }
      }
    },
    { deadlineMs: 120_000 },
  );
});

const setUp = `
  mkdir -p a/b/c d/e && touch -d @1200000000 one && echo two > two && echo three > a/three && ln -s ../two a/link &&
  echo four > a/b/four && chmod 755 a/b/four && echo five > a/b/c/five && echo six > d/e/six && mkfifo d/fifo && mkdir empty`;

/** Names that are there at the beginning, and some that are not. */
const paths = [
  ...[
    'one',
    'two',
    'a',
    'a/three',
    'a/link',
    'a/b',
    'a/b/four',
    'a/b/c',
    'a/b/c/five',
    'd',
    'd/e',
    'd/e/six',
  ],
  ...['d/fifo', 'empty', 'x', 'y', 'a/x', 'a/y', 'a/b/x', 'd/x', 'd/e/y', 'x/y', 'x/b', 'x/b/c', 'empty/z'],
];

function randomCommand(random: Random): string {
  const path = random.pick(paths);
  const other = random.pick(paths);
  switch (random.below(13)) {
    case 0:
      return `test -p ${path} || echo ${random.below(1000)} > ${path}`;
    case 1:
      return `test -p ${path} || echo ${random.below(1000)} >> ${path}`;
    case 2:
      return `rm -f ${path}`;
    case 3:
      return `rm -rf ${path}`;
    case 4:
      return `mkdir ${path}`;
    case 5:
      return `mkdir -p ${path}/${random.pick(['p', 'q', 'b'])}`;
    case 6:
    case 7:
    case 8:
      return `mv -T ${path} ${other}`;
    case 9:
      return `ln -T ${path} ${other}`;
    case 10:
      return `ln -s -T target-${random.below(10)} ${path}`;
    case 11:
      return `chmod ${random.pick(['u+x', '0700', '0750', '0644'])} ${path}; test -d ${path} && chmod u+rwx ${path}`;
    default:
      return `touch -h -c -d ${random.pick(explicitTimes)} ${path}`;
  }
}

/** Without the times of this moment, and of directories whose entries changed. */
function comparable(tree: MemoryTree, changes: readonly Change[] = []): unknown[] {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const isRecent = (timeNs: bigint) => timeNs > nowNs - 600_000_000_000n && timeNs < nowNs + 600_000_000_000n;
  const changed = new Set(changes.map(({ path }) => path));
  const touched = new Set(
    changes
      .filter(({ path }) => path !== '')
      .map(({ path }) => path.slice(0, Math.max(0, path.lastIndexOf('/')))),
  );
  return [...tree.nodes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, node]) => {
      if (node.type === 'fifo') return { path, ...node };
      const isMadeNow =
        node.mtimeNs === undefined ||
        isRecent(node.mtimeNs) ||
        (node.type === 'directory' && touched.has(path) && !changed.has(path));
      return { path, ...node, mtimeNs: isMadeNow ? 'now' : node.mtimeNs };
    });
}

function linkedNames(changes: readonly Change[], tree: MemoryTree): string[][] {
  const groups = new Map<number, string[]>();
  for (const { path, linkGroup } of changes) {
    if (linkGroup === undefined) continue;
    assert.is(tree.nodes.get(path)?.type, 'file');
    groups.set(linkGroup, [...(groups.get(linkGroup) ?? []), path]);
  }
  return [...groups.values()].map((names) => names.sort()).sort();
}

function linkedNamesOnDisk(root: string, tree: MemoryTree): string[][] {
  const groups = new Map<number, string[]>();
  for (const [path, { type }] of tree.nodes) {
    if (type !== 'file') continue;
    const { ino } = lstatSync(`${root}/${path}`);
    groups.set(ino, [...(groups.get(ino) ?? []), path]);
  }
  return [...groups.values()]
    .filter((names) => names.length > 1)
    .map((names) => names.sort())
    .sort();
}
