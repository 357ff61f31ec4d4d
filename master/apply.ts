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
import { zeros } from '../cas/chunks.ts';
import type { FileBlobStore } from '../cas/file-blob-store.ts';
import { writeSmallFile } from '../cas/small-file.ts';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { AppliedLog, WrittenFile } from './applied-log.ts';
import { type ApplyPlan, type EntryStep, parentPath, type Removal, type StepTime } from './apply-plan.ts';
import { ApplyRecorder } from './apply-recorder.ts';
import { Breather } from './breather.ts';
import { type CoreutilsCommand, runCoreutils, trySetTime } from './coreutils.ts';
import { listNames } from './list-names.ts';
import { isTemporary, temporaryPrefix } from './reserved-names.ts';
import { SafePaths } from './safe-paths.ts';
import type { Snapshot } from './snapshot.ts';
import { FifoNode, type FileNode, SymlinkNode } from './tree-node.ts';

/** Content in memory, by hash, found good. */
export type HeldContent = Map<string, Uint8Array>;

export interface ApplyOptions {
  projectRoot: string;
  snapshot: Snapshot;
  /** Has all content that is to be written, but what is held. */
  store: FileBlobStore;
  held?: HeldContent | undefined;
  /** Part of the names of temporary files. */
  id: string;
  /** Present directories that have to be made writable, with the modes to give back to them. */
  opened: readonly { path: string; mode: number }[];
  /** Stamps everything with this time instead of the kernel's clock. */
  stampNs?: bigint | undefined;
  /** Whether a signature taken right after writing tells every later change. */
  isFineGrained: boolean;
  log: Pick<AppliedLog, 'writing' | 'ended'>;
  onNotice: (message: string) => void;
  /** For tests: called after each change on disk. */
  afterStep?: ((step: string) => void) | undefined;
}

/** What is given a time: what is to be recorded then depends on it. */
type TimedEntry =
  | { kind: 'directory' }
  | { kind: 'file'; digest: Digest }
  | { kind: 'symlink'; target: string };

type FileStep = Extract<EntryStep, { kind: 'file' }>;

/**
 * Carries out a plan: on disk, and at once in the snapshot with the signatures of what was written, so that the events
 * of our own writes find nothing new. Files keep the times at which they are written here, in the order of the command:
 * they are never ahead of the kernel's clock, by which make judges everything else.
 *
 * @returns the files now in place, for the stat cache
 * @throws a system error or AppError when a step fails; the steps before it stay done
 */
export async function applyPlan(plan: ApplyPlan, options: ApplyOptions): Promise<readonly FileNode[]> {
  using paths = new SafePaths(options.projectRoot);
  const apply = new Apply(options, paths);
  try {
    return await apply.run(plan);
  } finally {
    await options.log.ended(options.id);
    apply.cleanUp();
  }
}

class Apply {
  readonly #options: ApplyOptions;
  readonly #paths: SafePaths;
  readonly #recorder: ApplyRecorder;
  /** Directories whose entries were changed. */
  readonly #touched = new Set<string>();
  /** Times that only `touch` can set. */
  readonly #times: { path: string; mtimeNs: bigint; of: TimedEntry }[] = [];
  readonly #temporaries = new Set<string>();
  #temporaryCount = 0;

  constructor(options: ApplyOptions, paths: SafePaths) {
    this.#options = options;
    this.#paths = paths;
    this.#recorder = new ApplyRecorder({ ...options, paths });
  }

  async run({ removals, directories, entries, finals }: ApplyPlan): Promise<readonly FileNode[]> {
    const breather = new Breather(20);
    for (const { path, mode } of this.#options.opened)
      chmodSync(fsPath(this.#paths.directory(path)), mode | 0o700);
    for (const removal of removals) {
      if (breather.isDue) await breather.breathe();
      this.#remove(removal);
    }
    for (const path of directories) this.#makeDirectory(path);
    // Files that follow each other get their names together, for the log to be synced once.
    let written: { step: FileStep; temporary: string }[] = [];
    for (const step of entries) {
      if (breather.isDue) await breather.breathe();
      if (step.kind === 'file' && step.write === 'replace') {
        written.push({ step, temporary: await this.#write(step) });
        continue;
      }
      await this.#name(written);
      written = [];
      await this.#bringIntoPlace(step);
    }
    await this.#name(written);
    for (const { path, mode } of this.#options.opened) this.#restoreMode(path, mode);
    for (const { path, mode, time } of finals) {
      const directory = this.#paths.directory(path);
      if (time === 'now' && this.#options.stampNs === undefined) this.#stampDirectory(path);
      else this.#setTime(directory, path, { kind: 'directory' }, time);
      if (mode !== undefined) chmodSync(fsPath(directory), mode);
      this.#touched.add(path);
      this.#done(`finish ${path}`);
    }
    await this.#setExactTimes();
    for (const path of this.#touched) this.#recorder.directory(path);
    return this.#recorder.files;
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

  #remove({ path, isDirectory }: Removal): void {
    const place = this.#paths.of(path);
    try {
      if (isDirectory) {
        this.#paths.forget(path);
        this.#removeDirectory(path, place);
      } else {
        unlinkSync(fsPath(place));
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    this.#recorder.removal(path);
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
      if (isTemporary(name)) unlinkSync(fsPath(`${place}/${name}`));
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
      // Another commit that is being applied makes it as well, or somebody else has just done so.
      const { mode } = this.#lstat(place);
      if (!isErrno(error, 'EEXIST') || (Number(mode) & constants.S_IFMT) !== constants.S_IFDIR) throw error;
      if ((mode & 0o700n) !== 0o700n) chmodSync(fsPath(place), (Number(mode) & 0o7777) | 0o700);
    }
    this.#recorder.newDirectory(path);
    this.#touched.add(parentPath(path));
    this.#touched.add(path);
    this.#done(`make ${path}`);
  }

  async #bringIntoPlace(step: EntryStep): Promise<void> {
    const { path } = step;
    const place = this.#paths.of(path);
    switch (step.kind) {
      case 'file':
        if (!(await this.#changeInPlace(step, place)))
          return this.#name([{ step, temporary: await this.#write(step) }]);
        break;
      case 'link':
        this.#link(step, place);
        break;
      case 'symlink':
        this.#replace(place, path, (temporary) => {
          symlinkSync(fsPath(step.target), fsPath(temporary));
          this.#setTime(temporary, path, { kind: 'symlink', target: step.target }, step.time);
        });
        this.#record(path, { kind: 'symlink', target: step.target });
        break;
      case 'fifo': {
        const temporary = this.#temporary(path);
        await runCoreutils([{ kind: 'mkfifo', path: temporary, mode: step.mode }]);
        this.#rename(temporary, place, path);
        this.#recorder.entry(path, (name, stats) => new FifoNode(name, stats));
        break;
      }
    }
    this.#done(`place ${path}`);
  }

  /** @returns false: it cannot be, it has to be replaced */
  async #changeInPlace(step: FileStep, place: string): Promise<boolean> {
    const { path, node, write, time } = step;
    const entry = { kind: 'file', digest: node.digest } as const;
    const isInPlace = write === 'in-place' && (await this.#overwrite(step, place));
    if (write !== 'keep' && !isInPlace) return false;
    if (time === 'now' && this.#options.stampNs === undefined) this.#stampFile(place, step);
    else this.#setTime(place, path, entry, time ?? (isInPlace ? this.#options.stampNs : undefined));
    const stats = this.#lstat(place);
    if ((Number(stats.mode) & 0o7777) !== node.mode) chmodSync(fsPath(place), node.mode);
    const { ino, mtimeNs } = this.#lstat(place);
    const written = { path, inode: Number(ino), mtimeNs, digest: node.digest, isNew: false };
    this.#recorder.file(path, node.digest);
    await this.#options.log.writing(this.#options.id, [written]);
    return true;
  }

  /** @returns the temporary name of the file */
  async #write({ path, node, time }: FileStep): Promise<string> {
    const temporary = this.#temporary(path);
    const content = this.#options.held?.get(node.digest.hash);
    if (content) writeSmallFile(temporary, content, node.mode);
    else await this.#options.store.exportFile(node.digest, temporary, { mode: node.mode });
    this.#done(`write ${path}`);
    this.#setTime(temporary, path, { kind: 'file', digest: node.digest }, time ?? this.#options.stampNs);
    return temporary;
  }

  async #name(files: readonly { step: FileStep; temporary: string }[]): Promise<void> {
    if (files.length === 0) return;
    const { log, snapshot, id } = this.#options;
    const described = files.map(({ step: { path, node }, temporary }): WrittenFile => {
      const { ino, mtimeNs } = this.#lstat(temporary);
      return { path, inode: Number(ino), mtimeNs, digest: node.digest, isNew: !snapshot.lookup(path) };
    });
    await log.writing(id, described);
    for (const { step, temporary } of files) {
      const { path, node } = step;
      this.#rename(temporary, this.#paths.of(path), path);
      this.#recorder.file(path, node.digest);
      this.#done(`place ${path}`);
    }
  }

  /** Writes the content into the file that is there, for its other names to see. @returns false: it cannot be opened */
  async #overwrite({ path, node }: FileStep, place: string): Promise<boolean> {
    const content = await this.#options.store.read(node.digest);
    if (!content)
      throw new AppError(`Cannot write "${path}": its content is missing`, { code: 'blob-missing' });
    const descriptor = this.#openForWriting(place);
    if (descriptor === undefined) {
      await content[Symbol.asyncIterator]().return?.();
      return false;
    }
    try {
      // Holes are not written: what stood there must not show in them.
      ftruncateSync(descriptor, 0);
      let position = 0;
      for await (const chunk of content) {
        const length = chunk.buffer === zeros.buffer ? 0 : chunk.byteLength;
        for (let done = 0; done < length; )
          done += writeSync(descriptor, chunk, done, length - done, position + done);
        position += chunk.byteLength;
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

  #link({ path, target, digest }: Extract<EntryStep, { kind: 'link' }>, place: string): void {
    const targetPlace = this.#paths.of(target);
    const present = lstatSync(fsPath(place), { bigint: true, throwIfNoEntry: false });
    // Renaming one name of a file over another one does nothing, and would leave the temporary name.
    if (present?.ino !== this.#lstat(targetPlace).ino) {
      this.#replace(place, path, (temporary) => linkSync(fsPath(targetPlace), fsPath(temporary)));
    }
    this.#recorder.file(path, digest);
    this.#recorder.file(target, digest);
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
  #stampFile(place: string, { path, node }: FileStep): void {
    const before = this.#lstat(place);
    const descriptor = this.#openForWriting(place);
    if (descriptor === undefined) {
      const entry = { kind: 'file', digest: node.digest } as const;
      this.#setTime(place, path, entry, this.#kernelTime(parentPath(path)));
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
    this.#recorder.directory(path);
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

  /** @param path where it will be, to set the time exactly in the end if Node cannot */
  #setTime(place: string, path: string, of: TimedEntry, time: StepTime): void {
    const mtimeNs = time === 'now' ? this.#options.stampNs : time;
    if (mtimeNs !== undefined && !trySetTime(place, mtimeNs)) this.#times.push({ path, mtimeNs, of });
  }

  async #setExactTimes(): Promise<void> {
    if (this.#times.length === 0) return;
    const commands = this.#times.map(({ path, mtimeNs, of }): CoreutilsCommand => {
      const isDirectory = of.kind === 'directory';
      return {
        kind: 'touch',
        path: isDirectory ? this.#paths.directory(path) : this.#paths.of(path),
        mtimeNs,
      };
    });
    await runCoreutils(commands);
    for (const { path, of } of this.#times) this.#record(path, of);
  }

  #record(path: string, entry: TimedEntry): void {
    if (entry.kind === 'directory') this.#touched.add(path);
    else if (entry.kind === 'file') this.#recorder.file(path, entry.digest);
    else this.#recorder.entry(path, (name, stats) => new SymlinkNode(name, stats, entry.target));
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

  #lstat(place: string): BigIntStats {
    return lstatSync(fsPath(place), { bigint: true });
  }

  #done(step: string): void {
    this.#options.afterStep?.(step);
  }
}
