import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { manifestSchema } from '../protocol/job.ts';
import { pathInTreeSchema } from '../protocol/os-values.ts';
import { makePrivateDir } from '../runtime/cache-dir.ts';
import { encodeJson } from '../runtime/json.ts';

const { startedNs: nanosecondsSchema, changes: changesSchema } = manifestSchema.shape;

/** What a commit is about to do, enough to finish it in another process. */
const journalEntrySchema = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  /** Entries of earlier versions have none. */
  boot: z.string().optional(),
  startedNs: nanosecondsSchema,
  /** Entries of earlier versions have none. */
  finishedNs: nanosecondsSchema.optional(),
  changes: changesSchema,
  /** Everything that will be removed, with the times of files, so that nothing that came later is removed. */
  removals: z.array(
    z.strictObject({
      path: pathInTreeSchema,
      isDirectory: z.boolean(),
      mtimeNs: nanosecondsSchema.optional(),
    }),
  ),
  /** Files that are overwritten in place: these may be found half written. */
  inPlace: z.array(z.strictObject({ path: pathInTreeSchema, inode: z.number().int() })),
  /** Modes to restore of directories that had to be made writable. */
  opened: z.array(z.strictObject({ path: pathInTreeSchema, mode: z.number().int() })),
});

export type JournalEntry = z.infer<typeof journalEntrySchema>;

/** An entry that is on disk. Exactly one of `discard`, or `begin` and then `end`, is to be called. */
export interface PreparedEntry {
  begin(): void;
  end(): void;
  discard(): void;
}

/** What was begun by a process that was killed. */
export interface UnfinishedEntry {
  entry: JournalEntry;
  begunNs: bigint;
  /** It has been dealt with. */
  forget(): void;
}

interface Page {
  path: string;
  /** Open for writing. */
  file: number;
}

/* A page: 0 state · 4 length of what follows, u32 little endian · 8 JSON. The rest is of longer entries before. */
const headBytes = 8;
const State = { idle: Buffer.of(0), begun: Buffer.of(1) } as const;

/**
 * Commits in progress, one page each: a file that serves one entry after the other, since making and removing files is
 * what costs most on disk. What was only prepared, or cannot be read, did nothing to the project yet. No fsync: it is
 * there for killed processes, and what another boot has left is not acted upon; see applied-log.ts for that.
 */
export class Journal implements Disposable {
  readonly #dir: string;
  readonly #free: Page[] = [];

  /** @param dir made if need be; nobody else may use it */
  constructor(dir: string) {
    this.#dir = dir;
    makePrivateDir(dir);
  }

  newId(): string {
    return randomBytes(8).toString('hex');
  }

  /** Writes an entry that does not count before it is begun. */
  prepare(entry: JournalEntry): PreparedEntry {
    const json = Buffer.from(encodeJson(entry));
    const head = Buffer.alloc(headBytes);
    head.writeUInt32LE(json.length, 4);
    const page = this.#free.pop() ?? this.#newPage();
    const { file } = page;
    const free = () => void this.#free.push(page);
    try {
      writeAll(file, Buffer.concat([head, json]));
    } catch (error) {
      free();
      throw error;
    }
    return {
      begin: () => void writeSync(file, State.begun, 0, 1, 0),
      end: () => {
        writeSync(file, State.idle, 0, 1, 0);
        free();
      },
      discard: free,
    };
  }

  /** Commits that were begun and not ended, oldest first. Before anything is prepared. */
  unfinished(): UnfinishedEntry[] {
    const found: UnfinishedEntry[] = [];
    for (const name of readdirSync(this.#dir)) {
      const path = `${this.#dir}/${name}`;
      const entry = parsePage(readFileSync(path));
      const forget = () => unlinkSync(path);
      // Its last write was that which began it.
      if (entry) found.push({ entry, begunNs: statSync(path, { bigint: true }).mtimeNs, forget });
      else forget();
    }
    return found.sort((a, b) => (a.begunNs < b.begunNs ? -1 : 1));
  }

  /** A page that is in use stays: its entry has not ended. */
  [Symbol.dispose](): void {
    for (const { file, path } of this.#free.splice(0)) {
      closeSync(file);
      unlinkSync(path);
    }
  }

  #newPage(): Page {
    const path = `${this.#dir}/${this.newId()}`;
    return { path, file: openSync(path, 'wx', 0o600) };
  }
}

/** A write may be cut short by a disk that is full. */
function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, done);
}

function parsePage(page: Buffer): JournalEntry | undefined {
  if (page[0] !== State.begun[0] || page.length < headBytes) return undefined;
  try {
    const json = page.toString('utf8', headBytes, headBytes + page.readUInt32LE(4));
    return journalEntrySchema.safeParse(JSON.parse(json)).data;
  } catch {
    return undefined;
  }
}
