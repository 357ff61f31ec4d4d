import { existsSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from '../runtime/app-error.ts';
import { compareBytes, decodeBytes, encodeBytes, fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import { type CompileCommand, compileCommands, mayCompile } from './compile-commands.ts';

/** Whoever has written it may have used other fields as well: they stay. */
const entriesSchema = z.array(
  z.looseObject({ directory: z.string(), file: z.string(), output: z.string().optional() }),
);
type Entry = z.infer<typeof entriesSchema>[number];

/** The compilation database of a project, as a build brings it up to date. */
export class CompilationDatabase {
  readonly #path: string;
  readonly #lines = new Map<string, { line: string; cwd: string }>();

  /** @param path absolute; need not exist */
  constructor(path: string) {
    this.#path = path;
  }

  /** Takes note of a command of the build; wherever it runs, or does not have to. */
  note(line: string, cwd: string): void {
    if (mayCompile(line)) this.#lines.set(`${cwd}\0${line}`, { line, cwd });
  }

  /**
   * Adds what this build has compiled to what is in the file, less the entries whose source is gone.
   *
   * @throws AppError `bad-compilation-database` when the file is something else: it is left alone then; a system error
   */
  write(): void {
    const exists = (path: string) => existsSync(fsPath(path));
    const built = [...this.#lines.values()].flatMap(({ line, cwd }) =>
      compileCommands(line, { cwd, exists }),
    );
    const { path, text } = this.#read();
    const kept = parse(text, path).filter(({ directory, file }) =>
      exists(resolve(dirname(path), directory, file)),
    );
    const merged = `${toJson(merge(kept, built, dirname(path)))}\n`;
    if (merged === text) return;
    const temporary = `${path}.${process.pid}.new`;
    writeFileSync(fsPath(temporary), encodeBytes(merged));
    renameSync(fsPath(temporary), fsPath(path));
  }

  /** Through a link: it is often one into the folder of the build. */
  #read(): { path: string; text: string } {
    try {
      const path = decodeBytes(realpathSync(fsPath(this.#path), 'buffer'));
      return { path, text: decodeBytes(readFileSync(fsPath(path))) };
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      return { path: this.#path, text: '' };
    }
  }
}

/**
 * What was built takes the place of entries for the same source and output, and of those that name no output. Sorted by
 * source, then output.
 *
 * @param base what directories are relative to, if any are: that of the database
 */
function merge(
  kept: readonly Entry[],
  built: readonly CompileCommand[],
  base: string,
): (Entry | CompileCommand)[] {
  const merged = new Map<string, Entry | CompileCommand>();
  const builtFiles = new Set(built.map(({ file }) => file));
  for (const entry of kept) {
    const isReplaced =
      entry.output === undefined && builtFiles.has(resolve(base, entry.directory, entry.file));
    if (!isReplaced) merged.set(keyOf(entry, base), entry);
  }
  for (const entry of built) merged.set(keyOf(entry, base), entry);
  return [...merged].sort(([a], [b]) => compareBytes(a, b)).map(([, entry]) => entry);
}

/** With bytes that are no text as they are: other readers know nothing of how we spell them. */
function toJson(entries: readonly (Entry | CompileCommand)[]): string {
  return JSON.stringify(entries, undefined, 2).replaceAll(
    /(?<!\\)((?:\\\\)*)\\u(dc[89a-f][0-9a-f])/g,
    (_, before: string, code: string) => before + String.fromCharCode(Number.parseInt(code, 16)),
  );
}

function keyOf({ directory, file, output }: Entry | CompileCommand, base: string): string {
  const from = resolve(base, directory);
  return `${resolve(from, file)}\0${output === undefined ? '' : resolve(from, output)}`;
}

function parse(text: string, path: string): Entry[] {
  if (text.trim() === '') return [];
  try {
    return entriesSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError(`Cannot update "${path}": it is no compilation database`, {
      ...{
        code: 'bad-compilation-database',
        category: 'caller',
        hint: 'Remove it, or name another file',
        cause,
      },
    });
  }
}
