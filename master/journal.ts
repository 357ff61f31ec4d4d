import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { z } from 'zod';
import { manifestSchema, pathInTreeSchema } from '../protocol/job.ts';
import { encodeJson } from '../runtime/json.ts';

const { startedNs: nanosecondsSchema, changes: changesSchema } = manifestSchema.shape;

/** What a commit is about to do, enough to finish it in another process. */
const journalEntrySchema = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  startedNs: nanosecondsSchema,
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

/**
 * Commits in progress, one file each. What was only prepared, or cannot be read, did nothing to the project yet.
 * No fsync: it is there for killed processes, not for power failures.
 */
export class Journal {
  readonly #dir: string;

  /** @param dir made if need be */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  newId(): string {
    return randomBytes(8).toString('hex');
  }

  /** Writes an entry that does not count before it is begun. */
  prepare(entry: JournalEntry): PreparedEntry {
    const path = `${this.#dir}/${entry.id}.json`;
    const prepared = `${this.#dir}/${entry.id}.prepared`;
    writeFileSync(prepared, encodeJson(entry), { flag: 'wx', mode: 0o600 });
    return {
      begin: () => renameSync(prepared, path),
      end: () => unlinkSync(path),
      discard: () => unlinkSync(prepared),
    };
  }

  end(id: string): void {
    unlinkSync(`${this.#dir}/${id}.json`);
  }

  /** Commits that were begun and not ended, oldest first, with the time when they were begun. */
  unfinished(): { entry: JournalEntry; begunNs: bigint }[] {
    const found: { entry: JournalEntry; begunNs: bigint }[] = [];
    for (const name of readdirSync(this.#dir)) {
      const path = `${this.#dir}/${name}`;
      const entry = name.endsWith('.json') ? parseEntry(readFileSync(path, 'utf8')) : undefined;
      if (entry) found.push({ entry, begunNs: statSync(path, { bigint: true }).mtimeNs });
      else unlinkSync(path);
    }
    return found.sort((a, b) => (a.begunNs < b.begunNs ? -1 : 1));
  }
}

function parseEntry(text: string): JournalEntry | undefined {
  try {
    return journalEntrySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
