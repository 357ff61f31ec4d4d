import type { Amendment } from '../protocol/amendments.ts';
import type { Digest } from '../protocol/digest.ts';
import { type FrameReader, FrameWriter } from '../protocol/frame.ts';
import { BoxFrame } from '../protocol/frame-types.ts';
import type { Job, Observation } from '../protocol/job.ts';
import { writeContext } from '../protocol/process-context.ts';
import { exhaustive } from '../runtime/exhaustive.ts';
import type { Limit } from '../runtime/limit.ts';
import type { FileSignature } from './origin.ts';

/** A Directory blob that travels with a job. */
export interface SentDirectory {
  digest: Digest;
  bytes: Uint8Array;
}

/** What a job needs to run in the box; the fields are explained in native/README.md. */
export interface BoxJob {
  /** Absolute; if the job's files are on disk the box makes it, and removes it when the connection closes. */
  jobDir: string;
  systemDir: string;
  projectRoot: string;
  root: Digest;
  argv: readonly string[];
  env: readonly string[];
  cwd: string;
  umask: number;
  uid: number;
  gid: number;
  hostUid: number;
  hostGid: number;
  mergeOutput: boolean;
  network: boolean;
  /** It is to have a network of its own from the beginning; otherwise it gets one when it asks for a socket. */
  ownNetwork: boolean;
  forwardStdin: boolean;
  timeoutMs: number;
  /** What its files may take in memory; 0: they are on disk. */
  memoryBytes: number;
  home: string;
  /** Directories to show in its own places, where they would hide them. */
  shown: Job['shown'];
  context: Job['context'];
  directories: readonly SentDirectory[];
}

const JobFlag = { mergeOutput: 1, network: 2, forwardStdin: 4, ownNetwork: 16 } as const;

/** One thing in a job's writable layer. */
export interface UpperEntry {
  /** Relative to the project root. */
  path: string;
  /** st_mode with its type bits, as the command left it. */
  mode: number;
  sizeBytes: number;
  mtimeNs: bigint;
  ino: bigint;
  nlink: number;
  /** Of `UpperFlag`. */
  flags: number;
  /** Of a symlink its target; of a renamed directory where it was: a name beside it, or absolute from the root. */
  target: string;
}

/** Source of the first three: Documentation/filesystems/overlayfs.rst; `attributes`: extended ones, or an ACL, of the command's. */
export const UpperFlag = { whiteout: 1, opaque: 2, redirect: 4, attributes: 8 } as const;

export interface DoneMessage {
  type: 'done';
  /** `limit`: ended at once, as its result could not be used; `noticed`, or what its system mirror refused, says why. */
  kind: 'exit' | 'signal' | 'timeout' | 'limit';
  value: number;
  startedNs: bigint;
  finishedNs: bigint;
  userUs: number;
  systemUs: number;
  maxRssKib: number;
  /** `jobDir`, or the same in memory: a path that leads there as long as the connection is open. Content is in `content/<ino>`. */
  filesDir: string;
  upper: UpperEntry[];
  trace: Observation[];
  /** Absolute paths left outside the project; a directory without anything has a slash behind it. */
  outside: string[];
  /** What it looked at in its own places, as paths of the machine. */
  hiddenTrace: Observation[];
  /** By which number the `refused` of system mirrors name it. */
  process: number;
  /** What was noticed while it ran. */
  noticed: Limit[];
}

/** What the box says on the connection of a job or of a system mount. */
export type BoxMessage =
  | { type: 'mounted' }
  | { type: 'list'; id: number; path: string }
  | { type: 'read'; id: number; path: string; mustCopy: boolean }
  | { type: 'trace'; id: number; observed: Observation[] }
  | { type: 'refused'; limit: Limit; process: number }
  | { type: 'relisted'; id: number; isRefused: boolean }
  | { type: 'need-directory'; id: number; digest: Digest }
  | { type: 'need-blob'; id: number; digest: Digest }
  | { type: 'need-stdin'; id: number; maxBytes: number }
  | DoneMessage
  | { type: 'broken'; message: string }
  /** The job was ended: its files took more memory than they may. */
  | { type: 'outgrown' }
  /** The job was ended: it has asked for a socket, and was begun without `ownNetwork`. */
  | { type: 'needs-network' };

/** @throws RangeError for a frame that is cut short or of unknown type */
export function decodeBoxMessage(frame: FrameReader): BoxMessage {
  switch (frame.type) {
    case BoxFrame.mounted:
      return { type: 'mounted' };
    case BoxFrame.list:
      return { type: 'list', id: frame.u32(), path: frame.text() };
    case BoxFrame.read:
      return { type: 'read', id: frame.u32(), path: frame.text(), mustCopy: frame.u32() === 1 };
    case BoxFrame.trace:
      return { type: 'trace', id: frame.u32(), observed: readTrace(frame) };
    case BoxFrame.refused:
      return readRefused(frame);
    case BoxFrame.relistingDone:
      return { type: 'relisted', id: frame.u32(), isRefused: frame.u32() === 1 };
    case BoxFrame.needDirectory:
      return { type: 'need-directory', id: frame.u32(), digest: frame.digest() };
    case BoxFrame.needBlob:
      return { type: 'need-blob', id: frame.u32(), digest: frame.digest() };
    case BoxFrame.needStdin:
      return { type: 'need-stdin', id: frame.u32(), maxBytes: frame.u32() };
    case BoxFrame.done:
      return readDone(frame);
    case BoxFrame.broken:
      return { type: 'broken', message: frame.text() };
    case BoxFrame.outgrown:
      return { type: 'outgrown' };
    case BoxFrame.needsNetwork:
      return { type: 'needs-network' };
    default:
      throw new RangeError(`Unknown frame 0x${frame.type.toString(16)} from the box`);
  }
}

/** What the executor says to the box. */
export type BoxRequest =
  | { type: 'mount'; mountDir: string; hidden: readonly string[] }
  | { type: 'job'; job: BoxJob }
  | { type: 'listed' | 'directory'; id: number; errno: number; bytes: Uint8Array }
  | { type: 'file'; id: number; errno: number; digest: Digest }
  | { type: 'original'; id: number; signature: FileSignature }
  | { type: 'blob'; id: number; errno: number }
  | { type: 'trace-wanted'; id: number }
  | { type: 'relisted'; id: number; amendment: Amendment }
  | { type: 'stdin'; id: number; data: Uint8Array };

export function encodeBoxRequest(request: BoxRequest): FrameWriter {
  switch (request.type) {
    case 'mount': {
      const writer = new FrameWriter(BoxFrame.mount).text(request.mountDir);
      return writer.list(request.hidden, (path) => writer.text(path));
    }
    case 'job':
      return encodeJob(request.job);
    case 'listed':
    case 'directory': {
      const type = request.type === 'listed' ? BoxFrame.listed : BoxFrame.directory;
      const writer = new FrameWriter(type);
      return writer.u32(request.id).u32(request.errno).bytes(request.bytes);
    }
    case 'file':
      return new FrameWriter(BoxFrame.file).u32(request.id).u32(request.errno).digest(request.digest);
    case 'original': {
      const { sizeBytes, mtimeNs, ctimeNs, inode } = request.signature;
      const writer = new FrameWriter(BoxFrame.original).u32(request.id).u64(sizeBytes);
      return writer.u64(BigInt.asUintN(64, mtimeNs)).u64(BigInt.asUintN(64, ctimeNs)).u64(inode);
    }
    case 'blob':
      return new FrameWriter(BoxFrame.blob).u32(request.id).u32(request.errno);
    case 'trace-wanted':
      return new FrameWriter(BoxFrame.traceWanted).u32(request.id);
    case 'relisted': {
      const { path, names, isRelisted, bytes } = request.amendment;
      const writer = new FrameWriter(BoxFrame.relisted).u32(request.id).text(path);
      writer.list(names, (name) => writer.text(name));
      return writer.u32(isRelisted ? 1 : 0).bytes(bytes);
    }
    case 'stdin':
      return new FrameWriter(BoxFrame.stdin).u32(request.id).bytes(request.data);
    default:
      return exhaustive(request);
  }
}

function encodeJob(job: BoxJob): FrameWriter {
  const writer = new FrameWriter(BoxFrame.job, 16 * 1024);
  writer.text(job.jobDir).text(job.systemDir).text(job.projectRoot).digest(job.root);
  writer.list(job.argv, (argument) => writer.text(argument));
  writer.list(job.env, (variable) => writer.text(variable));
  writer.text(job.cwd).u32(job.umask).u32(job.uid).u32(job.gid).u32(job.hostUid).u32(job.hostGid);
  writer.u32(
    (job.mergeOutput ? JobFlag.mergeOutput : 0) |
      (job.network ? JobFlag.network : 0) |
      (job.forwardStdin ? JobFlag.forwardStdin : 0) |
      (job.ownNetwork ? JobFlag.ownNetwork : 0),
  );
  writer.u64(job.timeoutMs).u64(job.memoryBytes).text(job.home);
  writer.list(job.shown, ({ path, mode }) => writer.text(path).u32(mode));
  writeContext(writer, job.context);
  writer.list(job.directories, ({ digest, bytes }) => writer.digest(digest).bytes(bytes));
  return writer;
}

function readRefused(frame: FrameReader): Extract<BoxMessage, { type: 'refused' }> {
  const path = frame.text();
  const kind = [undefined, 'refused-write', 'private-file', 'hidden'] as const;
  const refused = kind[frame.u32()];
  if (!refused) throw new RangeError('Unknown kind of refusal from the box');
  return { type: 'refused', limit: { kind: refused, path }, process: frame.u32() };
}

function readTrace(frame: FrameReader): Observation[] {
  return frame.list(() => ({ path: frame.text(), flags: frame.u32() }));
}

function readDone(frame: FrameReader): DoneMessage {
  const kinds = ['exit', 'signal', 'timeout', 'limit'] as const;
  const kind = kinds[frame.u32()];
  if (!kind) throw new RangeError('Unknown kind of end from the box');
  return {
    type: 'done',
    kind,
    value: frame.u32(),
    startedNs: frame.u64(),
    finishedNs: frame.u64(),
    userUs: Number(frame.u64()),
    systemUs: Number(frame.u64()),
    maxRssKib: Number(frame.u64()),
    filesDir: frame.text(),
    upper: frame.list(() => readEntry(frame)),
    trace: readTrace(frame),
    outside: frame.list(() => frame.text()),
    hiddenTrace: readTrace(frame),
    process: frame.u32(),
    noticed: frame.list(() => readNoticed(frame)),
  };
}

function readNoticed(frame: FrameReader): Limit {
  const kind = frame.u32();
  const text = frame.text();
  switch (kind) {
    case 1:
      return { kind: 'network' };
    case 2:
      return { kind: 'lock' };
    case 3:
      return { kind: 'privilege', call: text };
    case 4:
      return { kind: 'hidden', path: text };
    case 5:
      return { kind: 'left-outside', path: text };
    case 6:
      return { kind: 'background' };
    default:
      throw new RangeError('Unknown kind of notice from the box');
  }
}

function readEntry(frame: FrameReader): UpperEntry {
  return {
    path: frame.text(),
    mode: frame.u32(),
    sizeBytes: Number(frame.u64()),
    mtimeNs: frame.time(),
    ino: frame.u64(),
    nlink: frame.u32(),
    flags: frame.u32(),
    target: frame.text(),
  };
}
