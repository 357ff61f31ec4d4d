import { z } from 'zod';
import { failureSchema } from '../runtime/failure.ts';
import { limitSchema } from '../runtime/limit.ts';
import { checkChanges } from './check-changes.ts';
import { digestSchema } from './digest.ts';
import { urlSchema } from './executor-info.ts';
import {
  absolutePathSchema,
  argumentSchema,
  exitCodeSchema,
  linkTargetSchema,
  modeSchema,
  observedPathSchema,
  ownerSchema,
  pathInTreeSchema,
  signalSchema,
  timeoutSchema,
  timeSchema,
  umaskSchema,
} from './os-values.ts';
import { processContextSchema } from './process-context.ts';

const observationSchema = z.strictObject({
  path: observedPathSchema,
  flags: z.number().int().min(0).max(0xffff),
});
/** Of a master or a job. */
const idSchema = z.string().regex(/^[\w-]{1,100}$/);
/** Of a system mirror; "" for none. */
const mirrorSchema = z.union([z.literal(''), idSchema]);

/** What a command looked at: the union of these flags per path, see native/README.md. */
export const ObservationFlag = {
  found: 1,
  absent: 2,
  read: 4,
  linkRead: 8,
  listed: 16,
  /** It wrote a file there that ended just as it was, time included: no change, and none only because of what was there. */
  rewritten: 1 << 15,
} as const;
export type Observation = z.infer<typeof observationSchema>;

/** How much of the trace of one system mirror the master has: the first `count` entries. */
const systemTraceKnownSchema = z.strictObject({
  mirror: mirrorSchema,
  count: z.number().int().nonnegative(),
});

/** One command to execute, with everything that its result may depend on. */
export const jobSchema = z.strictObject({
  id: idSchema,
  /**
   * Whose machine is mirrored: executors keep one system mirror per (origin, epoch), and ask for what changed in that epoch
   * before they run a job of a later revision.
   */
  origin: z.strictObject({
    id: idSchema,
    epoch: z.number().int().nonnegative(),
    revision: z.number().int().nonnegative(),
    /** "" for one that is in the process of its executor. */
    url: z.union([z.literal(''), urlSchema]),
  }),
  /** Absolute path of the project, on the master and in the sandbox. */
  projectRoot: absolutePathSchema,
  /** Digest of the project's root Directory when the job was submitted. */
  root: digestSchema,
  argv: z.array(argumentSchema).min(1),
  /** `K=V`, in the caller's order. */
  env: z.array(argumentSchema),
  cwd: absolutePathSchema,
  umask: umaskSchema,
  uid: ownerSchema,
  gid: ownerSchema,
  /** The caller's home directory, given a throw-away writable layer; "" for none. */
  home: z.union([z.literal(''), absolutePathSchema]),
  /** Of the caller. */
  context: processContextSchema,
  /**
   * Directories that exist on the master's machine in places that a sandbox has for itself (/tmp and its like), and that the job
   * needs: those that lead to the project, home and temporary directories.
   */
  shown: z.array(z.strictObject({ path: absolutePathSchema, mode: modeSchema })),
  /** The caller's stdout and stderr are one open file: keep the order of what is written to them. */
  mergeOutput: z.boolean(),
  /** Whether stdin may have something to read; it is asked for only when the command reads it. */
  forwardStdin: z.boolean(),
  network: z.boolean(),
  /** 0: none. */
  timeoutMs: timeoutSchema,
  /** How many slots of its executor it takes; all of them when it has fewer. */
  slots: z.number().int().positive().max(1_000_000),
  /** Asks for the system trace, less what is known of it already; absent: not wanted. */
  systemTraceKnown: systemTraceKnownSchema.optional(),
});

export type Job = z.infer<typeof jobSchema>;

/** What stands at a path of a tree. `mode` is permission bits only (07777). */
export const nodeSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('file'),
    digest: digestSchema,
    mode: modeSchema,
    mtimeNs: timeSchema,
  }),
  z.strictObject({
    type: z.literal('directory'),
    mode: modeSchema,
    /** Absent where the time is as it was although entries have changed: bringing them into place must not change it either. */
    mtimeNs: timeSchema.optional(),
  }),
  z.strictObject({
    type: z.literal('symlink'),
    target: linkTargetSchema,
    /** Absent where the command has just made it: then it is as it comes. */
    mtimeNs: timeSchema.optional(),
  }),
  z.strictObject({ type: z.literal('fifo'), mode: modeSchema }),
]);

export type TreeNode = z.infer<typeof nodeSchema>;

const changeSchema = z.strictObject({
  path: pathInTreeSchema,
  /** What the job's snapshot had there; null: nothing. */
  base: nodeSchema.nullable(),
  /** What the command left there; null: it deleted it (children of a deleted directory are not listed). */
  node: nodeSchema.nullable(),
  /** Paths with the same number are names of one file. */
  linkGroup: z.number().int().nonnegative().optional(),
});

export type Change = z.infer<typeof changeSchema>;

/** What a command did. Source: REAPI v2, `ActionResult`, plus deletions, bases and the trace. */
export const manifestSchema = z.strictObject({
  status: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('exit'), code: exitCodeSchema }),
    z.strictObject({ kind: z.literal('signal'), signal: signalSchema }),
  ]),
  stdout: digestSchema,
  stderr: digestSchema,
  /** Sorted by path bytes, so parents come before children; mtimeNs tells the order of writing. */
  changes: z.array(changeSchema).superRefine(checkChanges),
  /** Limits of the sandbox that it reached, the first of each kind first. */
  reached: z.array(limitSchema),
  /** What it looked at in the places that a sandbox has for itself (/tmp and its like): absolute paths, exact. */
  hiddenTrace: z.array(observationSchema),
  /** While it ran, the kernel killed a process of that machine for want of memory: maybe one of its own, unnoticed. */
  wasShortOfMemory: z.boolean().optional(),
  /** Project paths observed, exact, relative to the project root. */
  trace: z.array(observationSchema),
  /**
   * Absolute paths outside the project that this job and all others of the same mirror have looked at: entries from
   * number `from` on. The mirror is shared and the kernel remembers, so that nobody can tell one job's from another's.
   * What was observed was as it is at `revision`; of later changes the mirror knew nothing.
   */
  systemTrace: z
    .strictObject({
      mirror: mirrorSchema,
      revision: z.number().int().nonnegative(),
      from: z.number().int().nonnegative(),
      observed: z.array(observationSchema),
    })
    .optional(),
  /** On the executor's clock. */
  startedNs: timeSchema,
  finishedNs: timeSchema,
  resources: z.strictObject({
    userUs: z.number().nonnegative(),
    systemUs: z.number().nonnegative(),
    maxRssKib: z.number().nonnegative(),
  }),
});

export type SystemTrace = NonNullable<z.infer<typeof manifestSchema>['systemTrace']>;
export type Manifest = z.infer<typeof manifestSchema>;

/** An executor's answer: a manifest, or why there is none. A command that exits 1 has a manifest. */
export const jobResultSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), value: manifestSchema }),
  z.strictObject({ ok: z.literal(false), failure: failureSchema }),
]);

export type JobResult = z.infer<typeof jobResultSchema>;
