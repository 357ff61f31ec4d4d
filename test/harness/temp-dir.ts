import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { keep, makeTestFolder, removeTree } from './leftovers.ts';
import { currentTest } from './test-context.ts';

export interface TempDir extends AsyncDisposable {
  /** Absolute, symlinks resolved as far as the system's own temporary directory is. */
  readonly path: string;
  /** The absolute path of something in it. */
  join(...names: string[]): string;
  /** Writes a file, making its parents; returns its absolute path. */
  write(path: string, content: string | Uint8Array, options?: { mode?: number }): string;
  /** The content of a file as text. */
  read(path: string): string;
}

/**
 * A fresh folder: `await using dir = await tempDir()`. A test that passes leaves nothing of it; one that fails keeps it
 * and prints where.
 *
 * @param parent where to make it, for tests that need a certain file system
 */
export async function tempDir(parent: string = tmpdir()): Promise<TempDir> {
  const path = makeTestFolder('test', parent);
  const test = currentTest();
  test?.onEnd(({ failed }) => {
    if (failed) keep(path, test.title);
    else removeTree(path);
  });
  return {
    path,
    join: (...names) => join(path, ...names),
    write(name, content, { mode = 0o644 } = {}) {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      chmodSync(file, mode);
      return file;
    },
    read: (name) => readFileSync(join(path, name), 'utf8'),
    // In a test only its end tells whether the folder is needed.
    [Symbol.asyncDispose]: async () => {
      if (!test) removeTree(path);
    },
  };
}
