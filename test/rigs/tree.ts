import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { compareBytes, decodeBytes, fsPath } from '../../runtime/byte-path.ts';

/** Times before this were set on purpose (fixtures use 2020), later ones are "now" and differ between runs. */
const deliberateTimeNs = 1_700_000_000n * 1_000_000_000n;

/** What a tree holds: path → one line with kind, owner, mode, content, links and deliberate times. Sorted by path. */
export function readTree(root: string, ignore: (path: string) => boolean = () => false): Map<string, string> {
  const tree = new Map<string, string>();
  const namesByInode = new Map<bigint, string>();
  const visit = (path: string) => {
    for (const name of listNames(root, path)) {
      const child = path === '' ? name : `${path}/${name}`;
      if (ignore(child)) continue;
      const stats = lstatSync(fsPath(`${root}/${child}`), { bigint: true });
      tree.set(child, describe(`${root}/${child}`, stats, namesByInode, child));
      if (stats.isDirectory()) visit(child);
    }
  };
  visit('');
  return tree;
}

/** What differs, one line each: `path: plain … termite …`; empty when equal. */
export function differences(expected: Map<string, string>, actual: Map<string, string>): string[] {
  const paths = [...new Set([...expected.keys(), ...actual.keys()])].sort(compareBytes);
  return paths
    .filter((path) => expected.get(path) !== actual.get(path))
    .map(
      (path) =>
        `${JSON.stringify(path)}: expected ${expected.get(path) ?? 'nothing'}, got ${actual.get(path) ?? 'nothing'}`,
    );
}

function listNames(root: string, path: string): string[] {
  return readdirSync(fsPath(`${root}/${path}`), { encoding: 'buffer' })
    .map(decodeBytes)
    .sort(compareBytes);
}

function describe(path: string, stats: BigIntStats, namesByInode: Map<bigint, string>, name: string): string {
  const mode = `${stats.uid}:${stats.gid} ${(stats.mode & 0o7777n).toString(8)}`;
  const time = stats.mtimeNs < deliberateTimeNs ? ` time ${stats.mtimeNs}` : '';
  if (stats.isSymbolicLink())
    return `symlink to ${decodeBytes(readlinkSync(fsPath(path), { encoding: 'buffer' }))}`;
  if (stats.isDirectory()) return `directory ${mode}${time}`;
  if (!stats.isFile()) return `special ${stats.mode.toString(8)}`;
  const firstName = namesByInode.get(stats.ino);
  if (firstName !== undefined) return `hard link to ${firstName}`;
  namesByInode.set(stats.ino, name);
  return `file ${mode} ${stats.size} bytes ${hashFile(path, stats)}${time}`;
}

/** Of a file that is nearly all hole only the ends: reading gigabytes of zeros would prove little and take long. */
function hashFile(path: string, { size, blocks }: BigIntStats): string {
  const hash = createHash('sha1');
  const chunk = Buffer.alloc(1 << 20);
  const isHollow = size > 1n << 30n && blocks * 512n < size / 2n;
  const fd = openSync(fsPath(path), 'r');
  try {
    for (
      let at = 0n;
      at < size;
      at = isHollow && at === 0n ? size - BigInt(chunk.length) : at + BigInt(chunk.length)
    ) {
      const length = readSync(fd, chunk, 0, chunk.length, at);
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex').slice(0, 16);
}
