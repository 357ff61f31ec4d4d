import { z } from 'zod';

/** How the commands of a session went so far. */
export const reportSchema = z.strictObject({
  commands: z.number().int(),
  cached: z.number().int(),
  remote: z.number().int(),
  local: z.number().int(),
  /** Why commands ran locally: reason → count. */
  localByReason: z.record(z.string(), z.number().int()),
  /** Of those that the user's rules keep here: `Reason` of the rule → count. */
  localByRule: z.record(z.string(), z.number().int()),
  /** Commands that ran locally only because remote execution failed. */
  fallbacks: z.number().int(),
  /** Results that had to be made again because their paths were changed meanwhile. */
  conflicts: z.number().int(),
  /** Commands with an exit status other than 0. */
  failed: z.number().int(),
  /** Commands whose result was compared with that of another run. */
  verified: z.number().int(),
  /** Those of them that did something else. */
  mismatched: z.number().int(),
  wallMs: z.number(),
});

export type Report = z.infer<typeof reportSchema>;

/** What the cache of results holds, and how useful it was since it was begun. */
export const cacheStatisticsSchema = z.strictObject({
  resultCount: z.number().int(),
  /** Results that were not reproduced when they were checked, and are not used any more. */
  quarantinedCount: z.number().int(),
  /** Of the database; the content is in the store. */
  sizeBytes: z.number().int(),
  hits: z.number().int(),
  /** What the hits had taken when they were run. */
  savedMs: z.number(),
  /** Reason → count. */
  misses: z.record(z.string(), z.number().int()),
  /** Why results were not kept: reason → count. */
  notStored: z.record(z.string(), z.number().int()),
});

/** What a build wants to be checked: its hits, so many percent of them, by running them; or each command, by running it twice. */
export const checkSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hits'), percent: z.number().min(0).max(100) }),
  z.strictObject({ kind: z.literal('twice') }),
]);

export type Check = z.infer<typeof checkSchema>;

/** What a build wants besides being run. */
export const sessionWishesSchema = z.strictObject({
  check: checkSchema.optional(),
  /** Absolute path of a compilation database that is to be brought up to date at the end of the build. */
  compileCommands: z.string().startsWith('/').optional(),
  /** `K=V`, of whoever starts the build: what its commands have beyond that was set by make or by the command line. */
  environment: z.array(z.string()).optional(),
  /** What the build has from whoever started it (runtime/circumstances.ts). */
  circumstances: z.string().default(''),
});

export type SessionWishes = z.input<typeof sessionWishesSchema>;

/** What the command line asks of a master, as JSON in `control` frames of the master's socket. */
export const controlRequestSchema = z.discriminatedUnion('op', [
  /** Opens a session that lasts as long as the connection; the master's events follow as replies. */
  z.strictObject({ op: z.literal('open-session'), ...sessionWishesSchema.shape }),
  /** The build is over: ends what it still runs, closes the session, and reports. `isBrokenOff`: by its user. */
  z.strictObject({ op: z.literal('report'), isBrokenOff: z.boolean().default(false) }),
  z.strictObject({ op: z.literal('status') }),
  z.strictObject({ op: z.literal('cache-statistics') }),
  /** Drops the content that was not used for longest, until no more than that, or what may be kept at all, is left. */
  z.strictObject({ op: z.literal('cache-collect'), maxBytes: z.number().int().nonnegative().optional() }),
  /** Hashes all content and drops what is bad. */
  z.strictObject({ op: z.literal('cache-verify') }),
  /** Forgets the project's results, and drops the content that only they need. */
  z.strictObject({ op: z.literal('cache-clear') }),
  z.strictObject({ op: z.literal('stop') }),
]);

export type ControlRequest = z.infer<typeof controlRequestSchema>;

export type ControlReply =
  /**
   * `id` goes into TERMITE_SESSION of the build; `jobs` is the -j to give make when the user gave none; with rules, the shell has to
   * ask about trifles, too.
   */
  | { op: 'session'; id: string; jobs: number; hasRules: boolean }
  | { op: 'progress'; running: number; done: number; latest: string }
  | { op: 'notice'; message: string }
  /** Something of ours makes the build fail, e.g. rules that have become wrong: the command line has to exit 125. */
  | { op: 'failed'; message: string }
  | { op: 'report'; report: Report }
  | {
      op: 'status';
      pid: number;
      root: string;
      executors: { name: string; slots: number; running: number }[];
      sessions: number;
      files: number;
      epoch: number;
    }
  | {
      op: 'cache';
      /** Absent when the cache could not be opened. */
      statistics?: z.infer<typeof cacheStatisticsSchema>;
      droppedResultCount?: number | undefined;
      /** All content was left, since masters of other projects may need it. */
      isContentKept?: boolean | undefined;
      /** `maxBytes`: how large it may become. */
      store: { blobCount: number; sizeBytes: number; droppedCount: number; maxBytes: number };
    }
  | { op: 'stopping' }
  /** The answer to a question that cannot be answered. */
  | { op: 'error'; message: string };
