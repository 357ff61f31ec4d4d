import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { type ApplyPlan, type EntryStep, parentPath, type StepTime } from './apply-plan.ts';
import { Breather } from './breather.ts';
import { type CoreutilsCommand, runCoreutils, trySetTime } from './coreutils.ts';
import { listNames } from './list-names.ts';
import { temporaryPrefix } from './refresh.ts';
import { SafePaths } from './safe-paths.ts';
import type { Snapshot } from './snapshot.ts';
import { DirectoryNode, FifoNode, FileNode, type Node, pathOf, SymlinkNode } from './tree-node.ts';

export interface ApplyOptions {
  projectRoot: string;
  snapshot: Snapshot;
  /** Has all content that is to be written. */
  store: FileBlobStore;
  /** Part of the names of temporary files. */
  id: string;
  /** Present directories that have to be made writable, with the modes to give back to them. */
  opened: readonly { path: string; mode: number }[];
  /** Stamps everything with this time instead of the kernel's clock. */
  stampNs?: bigint | undefined;
  /** Whether a signature taken right after writing tells every later change. */
  isFineGrained: boolean;
  onNotice: (message: string) => void;
  /** For tests: called after each change on disk. */
  afterStep?: ((step: string) => void) | undefined;
}

type FileStep = Extract<EntryStep, { kind: 'file' }>;

/**
 * Carries out a plan: on disk, and at once in the snapshot with the signatures of what was written, so that the events
 * of our own writes find nothing new. Files keep the times at which they are written here, in the order of the command:
 * they are never ahead of the kernel's clock, by which make judges everything else.
 *
 * @returns the files now in place, for the stat cache
 * @throws a system error or AppError when a step fails; the steps before it stay done
 */
export async function applyPlan(plan: ApplyPlan, options: ApplyOptions): Promise<FileNode[]> {
  using paths = new SafePaths(options.projectRoot);
  const apply = new Apply(options, paths);
  try {
    await apply.run(plan);
    return apply.written;
  } finally {
    apply.cleanUp();
  }
}

class Apply {
  /** Files that were brought into place, with their present signatures. */
  readonly written: FileNode[] = [];
  readonly #options: ApplyOptions;
  readonly #paths: SafePaths;
  /** Directories whose entries were changed. */
  readonly #touched = new Set<string>();
  /** Times that only `touch` can set. */
  readonly #times: { path: string; mtimeNs: bigint }[] = [];
  readonly #temporaries = new Set<string>();
  #temporaryCount = 0;

  constructor(options: ApplyOptions, paths: SafePaths) {
    this.#options = options;
    this.#paths = paths;
  }

  async run({ removals, directories, entries, finals }: ApplyPlan): Promise<void> {
    const breather = new Breather(20);
    for (const { path, mode } of this.#options.opened) chmodSync(fsPath(this.#paths.directory(path)), mode | 0o700);
    for (const node of removals) {
      if (breather.isDue) await breather.breathe();
      this.#remove(node);
    }
    for (const path of directories) this.#makeDirectory(path);
    for (const step of entries) {
      if (breather.isDue) await breather.breathe();
      await this.#bringIntoPlace(step);
    }
    for (const { path, mode } of this.#options.opened) this.#restoreMode(path, mode);
    for (const { path, mode, time } of finals) {
      const directory = this.#paths.directory(path);
      if (time === 'now' && this.#options.stampNs === undefined) this.#stampDirectory(path);
      else this.#setTime(directory, path, time);
      if (mode !== undefined) chmodSync(fsPath(directory), mode);
      this.#touched.add(path);
      this.#done(`finish ${path}`);
    }
    await this.#setExactTimes();
    for (const path of this.#touched) this.#recordDirectory(path);
  }

  cleanUp(): void {
    for (const path of this.#temporaries) {
      try {
        unlinkSync(fsPath(path));
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  }

  #remove(node: Node): void {
    const path = pathOf(node);
    const place = this.#paths.of(path);
    try {
      if (node.type === 'directory') {
        this.#paths.forget(path);
        this.#removeDirectory(path, place);
      } else {
        unlinkSync(fsPath(place));
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    this.#options.snapshot.detach(node);
    this.#touched.delete(path);
    this.#touched.add(parentPath(path));
    this.#done(`remove ${path}`);
  }

  #removeDirectory(path: string, place: string): void {
    try {
      rmdirSync(fsPath(place));
      return;
    } catch (error) {
      if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    }
    for (const name of listNames(place)) {
      if (name.startsWith(temporaryPrefix)) unlinkSync(fsPath(`${place}/${name}`));
    }
    try {
      rmdirSync(fsPath(place));
    } catch (error) {
      if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      this.#options.onNotice(`"${path}" was not removed: something was put into it meanwhile`);
    }
  }

  #makeDirectory(path: string): void {
    const place = this.#paths.of(path);
    try {
      mkdirSync(fsPath(place), 0o700);
    } catch (error) {
      if (!isErrno(error, 'EEXIST') || !lstatSync(fsPath(place)).isDirectory()) throw error;
      chmodSync(fsPath(this.#paths.directory(path)), 0o700);
    }
    const { parent, name } = this.#position(path);
    this.#options.snapshot.attach(parent, new DirectoryNode(name, this.#lstat(place)));
    this.#touched.add(parentPath(path));
    this.#touched.add(path);
    this.#done(`make ${path}`);
  }

  async #bringIntoPlace(step: EntryStep): Promise<void> {
    const { path } = step;
    const place = this.#paths.of(path);
    switch (step.kind) {
      case 'file':
        await this.#file(step, place);
        break;
      case 'link':
        this.#link(path, place, step.target);
        break;
      case 'symlink':
        this.#replace(place, path, (temporary) => symlinkSync(fsPath(step.target), fsPath(temporary)));
        this.#attach(path, (name, stats) => new SymlinkNode(name, stats, step.target));
        break;
      case 'fifo': {
        const temporary = this.#temporary(path);
        await runCoreutils([{ kind: 'mkfifo', path: temporary, mode: step.mode }]);
        this.#rename(temporary, place, path);
        this.#attach(path, (name, stats) => new FifoNode(name, stats));
        break;
      }
    }
    this.#done(`place ${path}`);
  }

  async #file(step: FileStep, place: string): Promise<void> {
    const { path, node, write, time } = step;
    const isInPlace = write === 'in-place' && (await this.#overwrite(step, place));
    if (write !== 'keep' && !isInPlace) {
      const temporary = this.#temporary(path);
      await this.#options.store.exportFile(node.digest, temporary, { mode: node.mode });
      this.#done(`write ${path}`);
      this.#setTime(temporary, path, time ?? this.#options.stampNs);
      this.#rename(temporary, place, path);
      this.#recordFile(path, node.digest);
      return;
    }
    if (time === 'now' && this.#options.stampNs === undefined) this.#stampFile(place, path);
    else this.#setTime(place, path, time ?? (isInPlace ? this.#options.stampNs : undefined));
    const stats = this.#lstat(place);
    if ((Number(stats.mode) & 0o7777) !== node.mode) chmodSync(fsPath(place), node.mode);
    this.#recordFile(path, node.digest);
  }

  /** Writes the content into the file that is there, for its other names to see. @returns false: it cannot be opened */
  async #overwrite({ path, node }: FileStep, place: string): Promise<boolean> {
    const content = await this.#options.store.read(node.digest);
    if (!content) throw new AppError(`Cannot write "${path}": its content is missing`, { code: 'blob-missing' });
    const descriptor = this.#openForWriting(place);
    if (descriptor === undefined) {
      await content[Symbol.asyncIterator]().return?.();
      return false;
    }
    try {
      for await (const chunk of content) {
        for (let done = 0; done < chunk.byteLength; ) done += writeSync(descriptor, chunk, done);
        this.#done(`overwrite ${path}`);
      }
      ftruncateSync(descriptor, node.digest.sizeBytes);
      fchmodSync(descriptor, node.mode);
    } finally {
      closeSync(descriptor);
    }
    return true;
  }

  /** undefined: it cannot be written into, e.g. because it is being executed. */
  #openForWriting(place: string): number | undefined {
    const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    try {
      return openSync(fsPath(place), flags);
    } catch (error) {
      if (isErrno(error, 'ETXTBSY', 'EPERM')) return undefined;
      if (!isErrno(error, 'EACCES')) throw error;
    }
    chmodSync(fsPath(place), (Number(this.#lstat(place).mode) & 0o7777) | 0o200);
    return openSync(fsPath(place), flags);
  }

  #link(path: string, place: string, target: string): void {
    const targetPlace = this.#paths.of(target);
    const { snapshot } = this.#options;
    const leader = snapshot.lookup(target);
    if (leader?.type !== 'file') throw new Error(`Internal error: "${target}" is no file to link to`);
    const present = lstatSync(fsPath(place), { bigint: true, throwIfNoEntry: false });
    // Renaming one name of a file over another one does nothing, and would leave the temporary name.
    if (present?.ino !== this.#lstat(targetPlace).ino) {
      this.#replace(place, path, (temporary) => linkSync(fsPath(targetPlace), fsPath(temporary)));
    }
    this.#recordFile(path, leader.digest!);
    this.#recordFile(target, leader.digest!);
  }

  /** What stands at `place` is replaced in one step by what `make` puts under a temporary name. */
  #replace(place: string, path: string, make: (temporary: string) => void): void {
    const temporary = this.#temporary(path);
    make(temporary);
    this.#rename(temporary, place, path);
  }

  #rename(temporary: string, place: string, path: string): void {
    renameSync(fsPath(temporary), fsPath(place));
    this.#temporaries.delete(temporary);
    this.#touched.add(parentPath(path));
  }

  #temporary(path: string): string {
    this.#temporaryCount += 1;
    const name = `${temporaryPrefix}${this.#options.id}-${this.#temporaryCount}`;
    const temporary = this.#paths.inDirectory(parentPath(path), name);
    this.#temporaries.add(temporary);
    return temporary;
  }

  /** Gives a file the kernel's present time, which no call of Node's can ask for: truncating to its own size does. */
  #stampFile(place: string, path: string): void {
    const before = this.#lstat(place);
    const descriptor = this.#openForWriting(place);
    if (descriptor === undefined) {
      this.#setTime(place, path, this.#kernelTime(parentPath(path)));
      return;
    }
    try {
      ftruncateSync(descriptor, Number(fstatSync(descriptor, { bigint: true }).size));
    } finally {
      closeSync(descriptor);
    }
    // Truncating takes away set-user-id, and opening may have added permission to write.
    chmodSync(fsPath(place), Number(before.mode) & 0o7777);
  }

  #stampDirectory(path: string): void {
    const place = this.#paths.directory(path);
    this.#kernelTime(path);
    this.#recordDirectory(path);
    this.#done(`stamp ${place}`);
  }

  /** The time that the kernel gives to what is made in a directory now. */
  #kernelTime(directory: string): bigint {
    const temporary = this.#temporary(directory === '' ? 'x' : `${directory}/x`);
    writeFileSync(fsPath(temporary), '', { flag: 'wx', mode: 0o600 });
    const { mtimeNs } = this.#lstat(temporary);
    unlinkSync(fsPath(temporary));
    this.#temporaries.delete(temporary);
    this.#touched.add(directory);
    return mtimeNs;
  }

  /** @param path what to set exactly later on if Node cannot; it stands at `place` now */
  #setTime(place: string, path: string, time: StepTime): void {
    const mtimeNs = time === 'now' ? this.#options.stampNs : time;
    if (mtimeNs !== undefined && !trySetTime(place, mtimeNs)) this.#times.push({ path, mtimeNs });
  }

  async #setExactTimes(): Promise<void> {
    if (this.#times.length === 0) return;
    const commands = this.#times.map(({ path, mtimeNs }): CoreutilsCommand => {
      const isDirectory = this.#options.snapshot.lookup(path)?.type === 'directory';
      return { kind: 'touch', path: isDirectory ? this.#paths.directory(path) : this.#paths.of(path), mtimeNs };
    });
    await runCoreutils(commands);
    for (const { path } of this.#times) {
      const node = this.#options.snapshot.lookup(path);
      if (node?.type === 'file') this.#recordFile(path, node.digest!);
      else if (node?.type === 'directory') this.#touched.add(path);
    }
  }

  #restoreMode(path: string, mode: number): void {
    try {
      chmodSync(fsPath(this.#paths.directory(path)), mode);
      this.#touched.add(path);
    } catch (error) {
      // Removed by the command itself.
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  #recordFile(path: string, digest: FileNode['digest']): void {
    const { isFineGrained } = this.#options;
    this.#attach(path, (name, stats) => {
      const file = new FileNode(name, stats, digest);
      file.isRacy = !isFineGrained;
      this.#recordTwins(file, stats);
      this.written.push(file);
      return file;
    });
  }

  /** Other names of a file that was written in place or linked show its new state as well. */
  #recordTwins(file: FileNode, stats: BigIntStats): void {
    if (file.linkCount < 2) return;
    const { snapshot } = this.#options;
    for (const other of snapshot.namesOf(file.inode)) {
      const otherStats = lstatSync(fsPath(this.#paths.of(pathOf(other))), { bigint: true, throwIfNoEntry: false });
      if (otherStats?.ino !== stats.ino || otherStats.dev !== stats.dev) continue;
      const twin = new FileNode(other.name, stats, file.digest);
      twin.isRacy = file.isRacy;
      snapshot.attach(other.parent!, twin);
    }
  }

  #recordDirectory(path: string): void {
    const node = this.#options.snapshot.lookup(path);
    if (node?.type === 'directory') node.update(this.#lstat(this.#paths.directory(path)));
  }

  #attach(path: string, make: (name: string, stats: BigIntStats) => Node): void {
    const { parent, name } = this.#position(path);
    this.#options.snapshot.attach(parent, make(name, this.#lstat(this.#paths.of(path))));
  }

  #position(path: string): { parent: DirectoryNode; name: string } {
    const parent = this.#options.snapshot.lookup(parentPath(path));
    if (parent?.type !== 'directory') {
      throw new AppError(`Cannot apply "${path}": its directory was removed meanwhile`, { code: 'apply-failed' });
    }
    return { parent, name: path.slice(path.lastIndexOf('/') + 1) };
  }

  #lstat(place: string): BigIntStats {
    return lstatSync(fsPath(place), { bigint: true });
  }

  #done(step: string): void {
    this.#options.afterStep?.(step);
  }
}
