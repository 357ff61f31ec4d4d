import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobStore } from '../cas/blob-store.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import type { Digest } from '../protocol/digest.ts';
import type { TreeNode } from '../protocol/job.ts';
import { encodeBytes, fsPath } from '../runtime/byte-path.ts';
import type { Deviation } from './compare-manifests.ts';
import { describeDeviation } from './describe-deviation.ts';
import { fetchContent } from './fetch-content.ts';

/** Of so many things that differ both versions are kept: outputs may be large. */
const maxKept = 20;
/** So many commands are kept, the latest ones. */
const maxCommands = 20;
const chunkBytes = 64 * 1024;

export interface KeepOptions {
  /** Name of the folder; one of that name is replaced. */
  name: string;
  /** The command, for whoever finds the folder later. */
  line: string;
  /** What the two runs are called: names of folders. */
  labels: readonly [was: string, is: string];
  /** At least one. */
  deviations: readonly Deviation[];
  /** Where content is to be had that is not in the store. */
  content: Pick<BlobStore, 'read' | 'getMany'>;
  signal: AbortSignal;
}

/**
 * Keeps what two runs of a command made differently, for people to look at:
 *
 *     <dir>/<name>/differences      the command, and what differs
 *     <dir>/<name>/<label>/         for each of the two: stdout, stderr, files/<path in the project>
 */
export class DeviationArchive {
  readonly #dir: string;
  readonly #store: FileBlobStore;

  /** @param dir absolute; made when there is something to keep */
  constructor(dir: string, store: FileBlobStore) {
    this.#dir = dir;
    this.#store = store;
  }

  /**
   * @returns the folder, absolute, and a sentence on each deviation
   * @throws system errors and what the stores throw; what was kept until then stays
   */
  async keep(options: KeepOptions): Promise<{ dir: string; sentences: string[] }> {
    const { name, line, labels, deviations } = options;
    const dir = join(this.#dir, name);
    rmSync(dir, { recursive: true, force: true });
    this.#makeRoom();
    mkdirSync(dir);
    const sentences: string[] = [];
    for (const [index, deviation] of deviations.entries()) {
      const dirs = labels.map((label) => join(dir, label));
      const files = index < maxKept ? await this.#export(deviation, dirs, options) : [];
      const [was, is] = files;
      const at = was === undefined || is === undefined ? undefined : await firstDifference(was, is);
      sentences.push(describeDeviation(deviation, at));
    }
    writeFileSync(join(dir, 'differences'), encodeBytes(`${[line, '', ...sentences].join('\n')}\n`));
    return { dir, sentences };
  }

  /** @returns the files made: one per version that has content */
  async #export(
    deviation: Deviation,
    dirs: readonly string[],
    { content, signal }: KeepOptions,
  ): Promise<(string | undefined)[]> {
    const versions = contentOf(deviation);
    const missing = await this.#store.findMissing(versions.filter((digest) => digest !== undefined));
    await fetchContent(missing, { from: content, into: this.#store, signal });
    const name = deviation.kind === 'path' ? `files/${deviation.path}` : deviation.kind;
    const files: (string | undefined)[] = [];
    for (const [index, digest] of versions.entries()) {
      const file = digest && join(dirs[index]!, name);
      files.push(file);
      if (!file) continue;
      mkdirSync(fsPath(dirname(file)), { recursive: true });
      await this.#store.exportFile(digest, file);
    }
    return files;
  }

  /** For one more. */
  #makeRoom(): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const kept = readdirSync(this.#dir).map((name) => {
      const path = join(this.#dir, name);
      return { path, keptMs: statSync(path).mtimeMs };
    });
    kept.sort((a, b) => b.keptMs - a.keptMs);
    for (const { path } of kept.slice(maxCommands - 1)) rmSync(path, { recursive: true });
  }
}

/** Of each version, where it is content. */
function contentOf(deviation: Deviation): (Digest | undefined)[] {
  const digestOf = (node: TreeNode | null) => (node?.type === 'file' ? node.digest : undefined);
  switch (deviation.kind) {
    case 'path':
      return [digestOf(deviation.was), digestOf(deviation.is)];
    case 'stdout':
    case 'stderr':
      return [deviation.was, deviation.is];
    default:
      return [];
  }
}

/** Offset of the first byte that is not the same; where the shorter file ends, when there is none before. */
async function firstDifference(one: string, other: string): Promise<number> {
  await using a = await open(fsPath(one));
  await using b = await open(fsPath(other));
  const [left, right] = [Buffer.alloc(chunkBytes), Buffer.alloc(chunkBytes)];
  for (let at = 0; ; at += chunkBytes) {
    const reads = [a.read(left, 0, chunkBytes, at), b.read(right, 0, chunkBytes, at)] as const;
    const lengths = (await Promise.all(reads)).map(({ bytesRead }) => bytesRead);
    const length = Math.min(...lengths);
    for (let i = 0; i < length; i++) if (left[i] !== right[i]) return at + i;
    if (length < chunkBytes) return at + length;
  }
}
