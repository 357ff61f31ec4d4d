import { type Dirent, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../../cas/digest.ts';
import { type Directory, encodeDirectory } from '../../cas/directory.ts';
import type { FileSignature, LocalFiles, Origin } from '../../executor/origin.ts';
import type { Amendments } from '../../protocol/amendments.ts';
import type { Digest } from '../../protocol/digest.ts';
import type { TreeNode } from '../../protocol/job.ts';
import { compareBytes, decodeBytes, fsPath } from '../../runtime/byte-path.ts';
import { MemoryTree } from './memory-tree.ts';

/**
 * This machine as an origin, all in memory: enough of a master for the tests of executors. Counts what it is asked, and
 * can be told to fail.
 */
export class DiskOrigin implements Origin {
  readonly contents = new Map<string, Buffer>();
  /** Batches asked of `getMany`, hashes of `read`, paths of the two look-ups. */
  readonly asked = {
    batches: [] as string[][],
    read: [] as string[],
    listed: [] as string[],
    digested: [] as string[],
    signed: [] as string[],
  };
  /** Set by tests of executors that read files of this machine where they are. */
  here?: LocalFiles;
  stdin = Buffer.alloc(0);
  /** What tests say has changed. */
  amended: Amendments = { revision: 0, amendments: [] };
  #digests = new Map<string, Digest>();
  /** Throws instead of answering. */
  trouble: ((what: string) => void) | undefined;

  readonly blobs: Origin['blobs'] = {
    get: async (digest) => this.contents.get(digest.hash),
    getMany: async (digests) => {
      this.asked.batches.push(digests.map(({ hash }) => hash));
      for (const { hash } of digests) this.trouble?.(hash);
      return digests.map(({ hash }) => this.contents.get(hash));
    },
    read: async ({ hash }) => {
      this.asked.read.push(hash);
      this.trouble?.(hash);
      const content = this.contents.get(hash);
      return content && toChunks(content);
    },
  };

  /** Puts a blob where jobs can have it. */
  add(content: Buffer): Digest {
    const digest = digestOf(content);
    this.contents.set(digest.hash, content);
    return digest;
  }

  /** The project at `root` as it is now. */
  snapshot(root: string): Digest {
    const tree = readTree(root, (content) => this.add(content));
    const encoded = tree.encode();
    for (const blob of encoded.blobs.values()) this.add(blob);
    return encoded.root;
  }

  async listDirectory(path: string): Promise<Uint8Array> {
    this.asked.listed.push(path);
    this.trouble?.(path);
    const level: Directory = {
      files: [],
      directories: [],
      symlinks: [],
      mode: lstatSync(fsPath(path)).mode & 0o7777,
    };
    for (const { name, entry } of entriesOf(path)) {
      const childPath = join(path, name);
      const { size, mode, mtimeNs } = lstatSync(fsPath(childPath), { bigint: true });
      if (entry.isDirectory()) level.directories.push({ name });
      else if (entry.isSymbolicLink()) {
        level.symlinks.push({ name, target: decodeBytes(readlinkSync(fsPath(childPath), 'buffer')) });
      } else if (entry.isFile()) {
        const digest = { hash: '', sizeBytes: Number(size) };
        level.files.push({ name, type: 'file', digest, mode: Number(mode) & 0o7777, mtimeNs });
      }
    }
    return encodeDirectory(level);
  }

  async amendments(): Promise<Amendments> {
    return this.amended;
  }

  async digestFile(path: string): Promise<Digest> {
    this.asked.digested.push(path);
    this.trouble?.(path);
    const known = this.#digests.get(path);
    if (known) return known;
    const digest = this.add(readFileSync(fsPath(path)));
    this.#digests.set(path, digest);
    return digest;
  }

  /** How a file looks, for `here`. */
  async signFile(path: string): Promise<FileSignature> {
    this.asked.signed.push(path);
    this.trouble?.(path);
    const { size, mtimeNs, ctimeNs, ino } = lstatSync(fsPath(path), { bigint: true });
    return { sizeBytes: Number(size), mtimeNs, ctimeNs, inode: ino };
  }

  async readStdin(_jobId: string, maxBytes: number): Promise<Uint8Array> {
    const data = this.stdin.subarray(0, maxBytes);
    this.stdin = this.stdin.subarray(data.length);
    return data;
  }
}

/** A directory on disk as a table; hard links are separate files. */
export function readTree(root: string, digest: (content: Buffer) => Digest = digestOf): MemoryTree {
  const nodes = new Map<string, TreeNode>();
  const visit = (path: string) => {
    const absolutePath = fsPath(path === '' ? root : `${root}/${path}`);
    const stats = lstatSync(absolutePath, { bigint: true });
    const mode = Number(stats.mode) & 0o7777;
    const { mtimeNs } = stats;
    if (stats.isDirectory()) {
      nodes.set(path, { type: 'directory', mode, mtimeNs });
      for (const { name } of entriesOf(`${root}/${path}`)) visit(path === '' ? name : `${path}/${name}`);
    } else if (stats.isSymbolicLink()) {
      nodes.set(path, {
        type: 'symlink',
        target: decodeBytes(readlinkSync(absolutePath, 'buffer')),
        mtimeNs,
      });
    } else if (stats.isFIFO()) nodes.set(path, { type: 'fifo', mode });
    else nodes.set(path, { type: 'file', digest: digest(readFileSync(absolutePath)), mode, mtimeNs });
  };
  visit('');
  return new MemoryTree(nodes);
}

function entriesOf(path: string): { name: string; entry: Dirent }[] {
  // The oldest supported types of Node do not know Dirents with Buffers, the oldest supported Node does.
  const entries = readdirSync(fsPath(path), {
    withFileTypes: true,
    encoding: 'buffer',
  } as never) as unknown as Dirent[];
  return entries
    .map((entry) => ({ name: decodeBytes(entry.name as unknown as Buffer), entry }))
    .sort((a, b) => compareBytes(a.name, b.name));
}

async function* toChunks(content: Buffer): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += 65_536) yield content.subarray(start, start + 65_536);
}
