/** Frame types; who sends which, with which fields, is written in native/README.md. */
export const ShellFrame = {
  run: 0x101,
  cancel: 0x102,
  stdin: 0x103,
  control: 0x110,
  local: 0x201,
  stdout: 0x202,
  stderr: 0x203,
  committing: 0x204,
  exited: 0x205,
  cancelled: 0x206,
  wantStdin: 0x207,
  controlReply: 0x210,
} as const;

/** Of `local`. */
export const LocalFlag = { alone: 1, slot: 2, emptyStdin: 4 } as const;

export const BoxFrame = {
  mount: 0x401,
  listed: 0x402,
  file: 0x403,
  traceWanted: 0x404,
  original: 0x405,
  relisted: 0x406,
  job: 0x410,
  directory: 0x411,
  blob: 0x412,
  stdin: 0x413,
  mounted: 0x501,
  list: 0x502,
  read: 0x503,
  trace: 0x504,
  refused: 0x505,
  relistingDone: 0x506,
  needDirectory: 0x510,
  needBlob: 0x511,
  needStdin: 0x512,
  done: 0x513,
  broken: 0x514,
  outgrown: 0x515,
  needsNetwork: 0x516,
} as const;

export const WatchFrame = {
  watchTree: 0x601,
  watchDirectory: 0x602,
  drain: 0x603,
  unwatchDirectory: 0x604,
  watchProcess: 0x605,
  findWriters: 0x606,
  ready: 0x701,
  changed: 0x702,
  processEnded: 0x703,
  writers: 0x704,
} as const;

/** Of `changed`, and of each of its paths. */
export const ChangedFlag = { overflow: 1, mounts: 2 } as const;
export const ChangedPathFlag = { written: 1 } as const;
