import { type Dirent, readdirSync } from 'node:fs';

/** Names that make looks for, in its order. */
export const makefileNames: readonly string[] = ['GNUmakefile', 'makefile', 'Makefile'];

/** Each build waits for this. With 16 entries and a makefile in each folder it takes 60 ms, the reading included. */
const maxFolders = 2_000;

/**
 * The makefiles in a folder and below it, the nearest first: those that make begins with when it is sent to their folder, and all
 * others that look like one. Not in folders with a dot in front, nor in node_modules; those beyond the nearest 2,000
 * folders are left out.
 */
export function* findMakefiles(dir: string): Generator<{ file: string; isFirst: boolean }> {
  const dirs = [dir];
  for (let at = 0; at < Math.min(dirs.length, maxFolders); at++) {
    const folder = dirs[at]!;
    const names: string[] = [];
    for (const entry of readFolder(folder)) {
      const { name } = entry;
      if (!entry.isDirectory()) {
        if (makefileNames.includes(name) || name.endsWith('.mk')) names.push(name);
      } else if (!name.startsWith('.') && name !== 'node_modules') {
        dirs.push(`${folder}/${name}`);
      }
    }
    const first = makefileNames.find((name) => names.includes(name));
    for (const name of names) yield { file: `${folder}/${name}`, isFirst: name === first };
  }
}

function readFolder(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    // For whatever reason: make cannot look there either, or need not.
    return [];
  }
}
