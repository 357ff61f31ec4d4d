import { type FrameReader, FrameWriter } from './frame.ts';
import { ShellFrame } from './frame-types.ts';
import { type ProcessContext, readContext, writeContext } from './process-context.ts';

/** Version of the conversation between shell and master. */
const wireVersion = 4;

const RunFlag = { mergeOutput: 1, jobserver: 2, stdinEmpty: 4, stdinTerminal: 8, exec: 16 } as const;

/** A command line that make (or `termite run`) wants done, as its shell reports it. Strings as in runtime/byte-path.ts. */
export interface RunRequest {
  /** The shell's own arguments, argv[0] left out: `['-c', 'gcc …']`. With `isExec` a program and its arguments. */
  argv: string[];
  /** The real shell that would run it: an absolute path, or a name that is looked for on the PATH. */
  shell: string;
  cwd: string;
  /** `K=V` */
  env: string[];
  umask: number;
  /** stdout and stderr are the same open file. */
  mergeOutput: boolean;
  /** make's jobserver descriptors are open: make takes the line for a recursive one. */
  hasJobserver: boolean;
  /** stdin has nothing to read. */
  isStdinEmpty: boolean;
  isStdinTerminal: boolean;
  /** `argv` is a program to be run directly, without any shell. */
  isExec: boolean;
  /** The caller's, which becomes the command's own when it is told to run it; 0: it will not. */
  processId: number;
  context: ProcessContext;
}

export function encodeRun(request: RunRequest): Buffer {
  const frame = new FrameWriter(ShellFrame.run, 4096).u32(wireVersion);
  frame.list(request.argv, (word) => frame.text(word));
  frame.text(request.shell).text(request.cwd);
  frame.list(request.env, (entry) => frame.text(entry));
  frame.u32(request.umask).u32(encodeFlags(request)).u32(request.processId);
  return writeContext(frame, request.context).finish();
}

/** @throws RangeError for a frame that ends early, has another version, no argument or no absolute paths */
export function decodeRun(frame: FrameReader): RunRequest {
  const version = frame.u32();
  if (version !== wireVersion)
    throw new RangeError(`Shell speaks version ${version}, not ${wireVersion}: build again`);
  const argv = frame.list(() => frame.text());
  const shell = frame.text();
  const cwd = frame.text();
  const env = frame.list(() => frame.text());
  const umask = frame.u32();
  const flags = frame.u32();
  const processId = frame.u32();
  const context = readContext(frame);
  if (argv.length === 0 || !cwd.startsWith('/'))
    throw new RangeError('Run frame without command or directory');
  return {
    argv,
    shell,
    cwd,
    env,
    umask,
    mergeOutput: (flags & RunFlag.mergeOutput) !== 0,
    hasJobserver: (flags & RunFlag.jobserver) !== 0,
    isStdinEmpty: (flags & RunFlag.stdinEmpty) !== 0,
    isStdinTerminal: (flags & RunFlag.stdinTerminal) !== 0,
    isExec: (flags & RunFlag.exec) !== 0,
    processId,
    context,
  };
}

function encodeFlags(request: RunRequest): number {
  return (
    (request.mergeOutput ? RunFlag.mergeOutput : 0) |
    (request.hasJobserver ? RunFlag.jobserver : 0) |
    (request.isStdinEmpty ? RunFlag.stdinEmpty : 0) |
    (request.isStdinTerminal ? RunFlag.stdinTerminal : 0) |
    (request.isExec ? RunFlag.exec : 0)
  );
}
