import { constants } from 'node:fs';
import type { Digest } from '../protocol/digest.ts';
import { AppError } from '../runtime/app-error.ts';
import { compareBytes, decodeBytes } from '../runtime/byte-path.ts';
import { BackwardProtoWriter, ProtoReader, WireType } from './proto.ts';

/**
 * What tells one file from another on the machine that it comes from, where it is known. No part of REAPI, whose readers skip
 * it: `NodeProperties` 16 to 18, and `DirectoryNode` 16 for the inode of a child directory.
 */
export interface FileIdentity {
  inode: number;
  ctimeNs: bigint;
  /** At least 1. */
  linkCount: number;
}

/**
 * Which of the permission bits are the caller's where those of the owner are not, of what is outside the project. No part of
 * REAPI, whose readers skip it: `NodeProperties` 19.
 */
export type Rights = 'group' | 'other';

/** The blocks of 512 bytes that something takes on its disk where it comes from. No part of REAPI: `NodeProperties` 20. */
export interface DiskUsage {
  /** Absent: as many as its size wants, in pages; of a directory `directoryUsage`, of a symlink none. */
  blocks?: number;
}

/** What a directory is taken for where it is not told. */
export const directoryUsage = { sizeBytes: 4096, blocks: 8 } as const;

/** A regular file, FIFO or socket. */
export interface FileNode extends DiskUsage {
  name: string;
  type: 'file' | 'fifo' | 'socket';
  /** In shallow directories, and of what is no regular file, the hash is "". */
  digest: Digest;
  /** Permission bits, 07777. */
  mode: number;
  mtimeNs?: bigint;
  identity?: FileIdentity;
  rights?: Rights;
}

export interface DirectoryNode {
  name: string;
  /** See `FileIdentity`; the rest of that stands in its own blob. */
  inode?: number;
  /** Absent in shallow directories: ask by path. Mode and mtime of a child stand in its own blob. */
  digest?: Digest;
}

export interface SymlinkNode extends DiskUsage {
  name: string;
  target: string;
  /** As the system tells it; means nothing. */
  mode?: number;
  mtimeNs?: bigint;
  identity?: FileIdentity;
}

/** One level of a tree. Each list is sorted by the bytes of its names; no name occurs twice. */
export interface Directory extends DiskUsage {
  files: FileNode[];
  directories: DirectoryNode[];
  symlinks: SymlinkNode[];
  /** Of the directory itself: permission bits, 07777. */
  mode?: number;
  mtimeNs?: bigint;
  identity?: FileIdentity;
  rights?: Rights;
  /** As stat(2) tells it; absent: `directoryUsage`. No part of REAPI: `NodeProperties` 21. */
  sizeBytes?: number;
  /**
   * There is more in it than is shown: to look for that, or to list it, is refused. No part of REAPI, whose readers skip it:
   * `NodeProperties` 22.
   */
  isPartial?: boolean;
}

const rightsNumbers = ['group', 'other'] as const;
const { S_IFMT, S_IFREG, S_IFIFO } = constants;
const S_IFSOCK = 0o140000;
const nanosPerSecond = 1_000_000_000n;

/**
 * The canonical bytes of a directory: equal directories have equal bytes, whoever encodes them. The lists must be
 * sorted. Source: REAPI v2 `Directory` (remote_execution.proto) in proto3, fields ascending, defaults left out.
 */
export function encodeDirectory(directory: Directory): Buffer {
  const { files, directories, symlinks } = directory;
  const writer = new BackwardProtoWriter(
    80 + 170 * files.length + 140 * (directories.length + symlinks.length),
  );
  writeProperties(writer, 5, directory);
  for (let i = symlinks.length - 1; i >= 0; i--) {
    const symlink = symlinks[i]!;
    const { name, target } = symlink;
    const end = writer.end();
    writeProperties(writer, 4, symlink);
    writer.text(2, target);
    writer.text(1, name);
    writer.message(3, end);
  }
  for (let i = directories.length - 1; i >= 0; i--) {
    const { name, digest, inode } = directories[i]!;
    const end = writer.end();
    if (inode !== undefined) writer.varint(16, inode);
    if (digest) writeDigest(writer, 2, digest);
    writer.text(1, name);
    writer.message(2, end);
  }
  for (let i = files.length - 1; i >= 0; i--) {
    const file = files[i]!;
    const end = writer.end();
    writeProperties(writer, 6, file, unixMode(file));
    if (file.type === 'file' && file.mode & 0o111) writer.varint(4, 1);
    if (file.type === 'file') writeDigest(writer, 2, file.digest);
    writer.text(1, file.name);
    writer.message(1, end);
  }
  return writer.finish();
}

/**
 * The inverse of `encodeDirectory`; unknown fields are skipped. Files without mode get 0644 or 0755.
 *
 * @throws AppError `bad-directory` for anything else: cut short, impossible or repeated names, unsorted, bad digests
 */
export function decodeDirectory(blob: Uint8Array): Directory {
  try {
    const directory = readDirectory(
      new ProtoReader(Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)),
    );
    checkNames(directory);
    return directory;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AppError('Cannot decode directory', { code: 'bad-directory', cause });
  }
}

/** To be spread: nothing for what takes as much as is taken for granted. */
export function usageOfFile({ sizeBytes, blocks }: { sizeBytes: number; blocks: number }): DiskUsage {
  return blocks === Math.ceil(sizeBytes / 4096) * 8 ? {} : { blocks };
}

/** The same of a directory. */
export function usageOfDirectory({
  sizeBytes,
  blocks,
}: {
  sizeBytes: number;
  blocks: number;
}): Pick<Directory, 'blocks' | 'sizeBytes'> {
  return {
    ...(blocks !== directoryUsage.blocks && { blocks }),
    ...(sizeBytes !== directoryUsage.sizeBytes && { sizeBytes }),
  };
}

/** Whether this may be the name of a directory entry. */
export function isEntryName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

function unixMode(file: FileNode): number {
  if (file.type === 'file') return file.mode;
  return (file.type === 'fifo' ? S_IFIFO : S_IFSOCK) | file.mode;
}

function writeDigest(writer: BackwardProtoWriter, field: number, digest: Digest): void {
  const end = writer.end();
  if (digest.sizeBytes !== 0) writer.varint(2, digest.sizeBytes);
  if (digest.hash !== '') writer.text(1, digest.hash);
  writer.message(field, end);
}

function writeProperties(
  writer: BackwardProtoWriter,
  field: number,
  { mtimeNs, identity, rights, blocks, sizeBytes, isPartial, ...node }: Properties,
  mode = node.mode,
): void {
  const all = [mode, mtimeNs, identity, rights, blocks, sizeBytes, isPartial];
  if (all.every((each) => each === undefined)) return;
  const end = writer.end();
  if (isPartial) writer.varint(22, 1);
  if (sizeBytes !== undefined) writer.varint(21, sizeBytes);
  if (blocks !== undefined) writer.varint(20, blocks);
  if (rights) writer.varint(19, rightsNumbers.indexOf(rights) + 1);
  if (identity) {
    const { inode, ctimeNs, linkCount } = identity;
    if (linkCount !== 1) writer.varint(18, linkCount);
    writeTimestamp(writer, 17, ctimeNs);
    writer.varint(16, inode);
  }
  if (mode !== undefined) {
    const modeEnd = writer.end();
    if (mode !== 0) writer.varint(1, mode);
    writer.message(3, modeEnd);
  }
  if (mtimeNs !== undefined) writeTimestamp(writer, 2, mtimeNs);
  writer.message(field, end);
}

function writeTimestamp(writer: BackwardProtoWriter, field: number, timeNs: bigint): void {
  const end = writer.end();
  const nanos = ((timeNs % nanosPerSecond) + nanosPerSecond) % nanosPerSecond;
  const seconds = (timeNs - nanos) / nanosPerSecond;
  if (nanos !== 0n) writer.varint(2, Number(nanos));
  if (seconds !== 0n) writer.varint(1, isExactNumber(seconds) ? Number(seconds) : seconds);
  writer.message(field, end);
}

function isExactNumber(value: bigint): boolean {
  return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

function readDirectory(reader: ProtoReader): Directory {
  const directory: Directory = { files: [], directories: [], symlinks: [] };
  while (reader.next()) {
    if (reader.type !== WireType.lengthDelimited) reader.skip();
    else if (reader.field === 1) directory.files.push(readFile(reader.message()));
    else if (reader.field === 2) directory.directories.push(readChild(reader.message()));
    else if (reader.field === 3) directory.symlinks.push(readSymlink(reader.message()));
    else if (reader.field === 5) {
      const { mode, ...rest } = readProperties(reader.message());
      if (mode !== undefined) directory.mode = mode & 0o7777;
      Object.assign(directory, rest);
    } else reader.skip();
  }
  return directory;
}

function readFile(reader: ProtoReader): FileNode {
  const file: FileNode = { name: '', type: 'file', digest: { hash: '', sizeBytes: 0 }, mode: 0o644 };
  let properties: Properties = {};
  while (reader.next()) {
    if (reader.is(1, WireType.lengthDelimited)) file.name = decodeBytes(reader.bytes());
    else if (reader.is(2, WireType.lengthDelimited)) file.digest = readDigest(reader.message());
    else if (reader.is(4, WireType.varint)) file.mode = reader.varint() ? 0o755 : 0o644;
    else if (reader.is(6, WireType.lengthDelimited)) properties = readProperties(reader.message());
    else reader.skip();
  }
  const { mode, ...rest } = properties;
  if (mode !== undefined) {
    file.type = fileType(mode & S_IFMT);
    file.mode = mode & 0o7777;
  }
  return Object.assign(file, rest);
}

function fileType(type: number): FileNode['type'] {
  if (type === 0 || type === S_IFREG) return 'file';
  if (type === S_IFIFO) return 'fifo';
  if (type === S_IFSOCK) return 'socket';
  throw new RangeError(`file of type 0${type.toString(8)}`);
}

function readChild(reader: ProtoReader): DirectoryNode {
  const child: DirectoryNode = { name: '' };
  while (reader.next()) {
    if (reader.is(1, WireType.lengthDelimited)) child.name = decodeBytes(reader.bytes());
    else if (reader.is(2, WireType.lengthDelimited)) {
      const digest = readDigest(reader.message());
      if (digest.hash !== '') child.digest = digest;
    } else if (reader.is(16, WireType.varint)) child.inode = reader.varint();
    else reader.skip();
  }
  return child;
}

function readSymlink(reader: ProtoReader): SymlinkNode {
  const symlink: SymlinkNode = { name: '', target: '' };
  while (reader.next()) {
    if (reader.is(1, WireType.lengthDelimited)) symlink.name = decodeBytes(reader.bytes());
    else if (reader.is(2, WireType.lengthDelimited)) symlink.target = decodeBytes(reader.bytes());
    else if (reader.is(4, WireType.lengthDelimited)) {
      const { mode, ...rest } = readProperties(reader.message());
      if (mode !== undefined) symlink.mode = mode & 0o7777;
      Object.assign(symlink, rest);
    } else reader.skip();
  }
  if (symlink.target === '' || symlink.target.includes('\0')) throw new RangeError('impossible link target');
  return symlink;
}

function readDigest(reader: ProtoReader): Digest {
  let hash = '';
  let sizeBytes = 0;
  while (reader.next()) {
    if (reader.is(1, WireType.lengthDelimited)) hash = reader.bytes().toString('latin1');
    else if (reader.is(2, WireType.varint)) sizeBytes = reader.varint();
    else reader.skip();
  }
  if (hash !== '' && !/^[0-9a-f]{64}$/.test(hash)) throw new RangeError('malformed hash');
  return { hash, sizeBytes };
}

type Properties = Pick<
  Directory,
  'mtimeNs' | 'identity' | 'rights' | 'blocks' | 'sizeBytes' | 'isPartial'
> & { mode?: number };

function readProperties(reader: ProtoReader): Properties {
  const properties: Properties = {};
  let [inode, ctimeNs, linkCount]: [number?, bigint?, number?] = [];
  while (reader.next()) {
    if (reader.is(2, WireType.lengthDelimited)) properties.mtimeNs = readTimestamp(reader.message());
    else if (reader.is(3, WireType.lengthDelimited)) properties.mode = readMode(reader.message());
    else if (reader.is(16, WireType.varint)) inode = reader.varint();
    else if (reader.is(17, WireType.lengthDelimited)) ctimeNs = readTimestamp(reader.message());
    else if (reader.is(18, WireType.varint)) linkCount = reader.varint();
    else if (reader.is(19, WireType.varint)) properties.rights = readRights(reader);
    else if (reader.is(20, WireType.varint)) properties.blocks = reader.varint();
    else if (reader.is(21, WireType.varint)) properties.sizeBytes = reader.varint();
    else if (reader.is(22, WireType.varint)) properties.isPartial = reader.varint() !== 0;
    else reader.skip();
  }
  if (inode !== undefined && ctimeNs !== undefined)
    properties.identity = { inode, ctimeNs, linkCount: linkCount ?? 1 };
  return properties;
}

function readTimestamp(reader: ProtoReader): bigint {
  let seconds = 0n;
  let nanos = 0;
  while (reader.next()) {
    if (reader.is(1, WireType.varint)) seconds = BigInt.asIntN(64, BigInt(reader.bigVarint()));
    else if (reader.is(2, WireType.varint)) nanos = reader.varint();
    else reader.skip();
  }
  if (nanos > 999_999_999) throw new RangeError('impossible time');
  return seconds * nanosPerSecond + BigInt(nanos);
}

function readMode(reader: ProtoReader): number {
  let mode = 0;
  while (reader.next()) {
    if (reader.is(1, WireType.varint)) mode = reader.varint();
    else reader.skip();
  }
  if (mode > 0xffff_ffff) throw new RangeError('impossible mode');
  return mode;
}

function readRights(reader: ProtoReader): Rights {
  const rights = rightsNumbers[reader.varint() - 1];
  if (!rights) throw new RangeError('impossible rights');
  return rights;
}

function checkNames({ files, directories, symlinks }: Directory): void {
  const seen = new Set<string>();
  for (const nodes of [files, directories, symlinks]) {
    let previous: string | undefined;
    for (const { name } of nodes) {
      if (!isEntryName(name)) throw new RangeError(`impossible name ${JSON.stringify(name)}`);
      if (previous !== undefined && compareBytes(previous, name) >= 0)
        throw new RangeError('names not sorted');
      if (seen.has(name)) throw new RangeError(`name ${JSON.stringify(name)} occurs twice`);
      seen.add(name);
      previous = name;
    }
  }
}
