import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Level } from 'level';
import { AppError } from '../runtime/app-error.ts';

/** LevelDB with bytes for keys and values; open in one process at a time. */
export type Database = Level<Buffer, Buffer>;

/**
 * Opens a database, making its folder if need be. A corrupt one is moved aside (see `moveAside`) and begun anew: all
 * that is kept in databases can be found out again.
 *
 * @throws AppError `database-locked` while another process has it open, `bad-database` when it cannot be opened
 */
export async function openDatabase(dir: string, onNotice: (message: string) => void): Promise<Database> {
  if (!dir.isWellFormed()) {
    throw new AppError(`Cannot open database ${JSON.stringify(dir)}: its path is not valid UTF-8`, {
      code: 'bad-database',
      category: 'caller',
    });
  }
  try {
    await mkdir(dirname(dir), { recursive: true });
    return await open(dir);
  } catch (error) {
    if (!isCorruption(error)) throw explain(error, dir);
  }
  await moveAside(dir, onNotice);
  return open(dir).catch((error) => Promise.reject(explain(error, dir)));
}

/** Renames the folder of a database that is not open to `<dir>.corrupt-<milliseconds>`, and says so. */
export async function moveAside(dir: string, onNotice: (message: string) => void): Promise<void> {
  const aside = `${dir}.corrupt-${Date.now()}`;
  await rename(dir, aside);
  onNotice(`Database "${dir}" was corrupt: it is now "${aside}", and a new one was begun`);
}

/** Whether an error of LevelDB means that its files are not what it wrote. */
export function isCorruption(error: unknown): boolean {
  const { code, message } = innermost(error);
  // Files that are missing or cut short are reported as errors of the call that stumbled over them.
  return (
    code === 'LEVEL_CORRUPTION' ||
    (code === 'LEVEL_IO_ERROR' && /No such file or directory|Invalid argument/.test(message))
  );
}

async function open(dir: string): Promise<Database> {
  const database: Database = new Level(dir, { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  try {
    await database.open();
    return database;
  } catch (error) {
    // It keeps the lock otherwise.
    await database.close();
    throw error;
  }
}

/** LevelDB's own error: opening wraps it. */
function innermost(error: unknown): { code: unknown; message: string } {
  const { cause } = error as Error;
  const { code, message } = (cause instanceof Error ? cause : error) as Error & { code?: unknown };
  return { code, message };
}

function explain(cause: unknown, dir: string): AppError {
  if (innermost(cause).code === 'LEVEL_LOCKED') {
    return new AppError(`Cannot open database "${dir}": another process has it open`, {
      code: 'database-locked',
      category: 'caller',
      hint: 'Another Termite master serves this project: use it, or stop it first',
      cause,
    });
  }
  return new AppError(`Cannot open database "${dir}"`, { code: 'bad-database', cause });
}
