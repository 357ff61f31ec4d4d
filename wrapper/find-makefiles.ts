import { type Dirent, readdirSync } from 'node:fs';
import { decodeBytes, fsPath } from '../runtime/byte-path.ts';

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
    for (const { name, isFolder } of readFolder(folder)) {
      if (!isFolder) {
        if (makefileNames.includes(name) || name.endsWith('.mk')) names.push(name);
      } else if (!name.startsWith('.') && name !== 'node_modules') {
        dirs.push(`${folder}/${name}`);
      }
    }
    const first = makefileNames.find((name) => names.includes(name));
    for (const name of names) yield { file: `${folder}/${name}`, isFirst: name === first };
  }
}

function readFolder(dir: string): { name: string; isFolder: boolean }[] {
  try {
    const entries = readdirSync(fsPath(dir), { withFileTypes: true });
    // Asked for as bytes only where a name may be no text, which takes longer.
    if (!entries.some(({ name }) => name.includes('\ufffd')))
      return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
    const exact = readdirSync(fsPath(dir), { withFileTypes: true, encoding: 'buffer' as 'utf8' });
    return (exact as unknown as Dirent<Buffer>[]).map((entry) => ({
      ...{ name: decodeBytes(entry.name), isFolder: entry.isDirectory() },
    }));
  } catch {
    // For whatever reason: make cannot look there either, or need not.
    return [];
  }
}
