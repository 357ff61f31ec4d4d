import type { SimpleCommand } from './shell-words.ts';

/**
 * What a command may do with the times of the files that it finds:
 *
 *     unused     nothing: all its programs are known (known-programs.ts), and read what they find
 *     compared   compare those that it does not read, as any program may
 *     sorted     compare all of them: it names a program that lists or picks files by age
 *     shown      print or keep them: it names a program that is known for it
 */
export type TimeUse = 'unused' | 'compared' | 'sorted' | 'shown';

/** Whether one of the program's arguments says so. */
type Says = (args: readonly string[]) => boolean;

const always: Says = () => true;
const option =
  (pattern: RegExp): Says =>
  (args) =>
    args.some((arg) => pattern.test(arg));

/**
 * Programs whose output holds times of files, or may hold them where nobody sees it, as in an archive that is compressed.
 * What else prints times as such is found out by looking at what it printed (shown-times.ts).
 * Sources: the manual of each program.
 */
const showing: ReadonlyMap<string, Says> = new Map<string, Says>([
  // tar(1): its first word may be a bundle of letters without a dash. With --mtime it holds no time of any file.
  [
    'tar',
    (args) =>
      !args.some((arg) => arg.startsWith('--mtime')) &&
      (/^-?[a-zA-Z]*[cruAd]/.test(args[0] ?? '') ||
        option(/^-[a-zA-Z]*[cruAd]|^--(?:create|append|update|catenate|concatenate|diff|compare)$/)(args)),
  ],
  ['ar', option(/^-?[a-zA-Z]*U/)],
  ['cpio', always],
  ['pax', always],
  ['zip', always],
  ['7z', always],
  ['7za', always],
  ['jar', always],
  ['git', always],
  ['stat', always],
  ['date', option(/^-[a-zA-Z]*r|^--reference/)],
  ['ls', option(/^-[a-zA-Z]*[lgno]|^--(?:full-time|format=(?:long|verbose))/)],
  ['find', option(/^-(?:printf|fprintf|ls|fls|[acm]min|[acm]time|newer[aBcm]t)$/)],
  ['mksquashfs', always],
  ['mkisofs', always],
  ['genisoimage', always],
  ['xorriso', always],
  ['dpkg-deb', always],
  ['rpmbuild', always],
]);

/** Programs that pick or order files by their times without telling them. */
const sorting: ReadonlyMap<string, Says> = new Map<string, Says>([
  ['ls', option(/^-[a-zA-Z]*[tcu]|^--(?:sort=time|time)/)],
  ['find', option(/^-newer/)],
  ['rsync', always],
  ['make', always],
  ['gmake', always],
  ['[[', option(/^-(?:nt|ot)$/)],
  ['[', option(/^-(?:nt|ot)$/)],
  ['test', option(/^-(?:nt|ot)$/)],
  ['cp', option(/^-[a-zA-Z]*u|^--update/)],
  ['mv', option(/^-[a-zA-Z]*u|^--update/)],
]);

/** Of a line whose programs are not all known, by the names in it. */
export function timeUseOf(commands: readonly SimpleCommand[]): Exclude<TimeUse, 'unused'> {
  const names = (table: ReadonlyMap<string, Says>) =>
    commands.some(({ name, args }) => table.get(name.slice(name.lastIndexOf('/') + 1))?.(args));
  if (names(showing)) return 'shown';
  return names(sorting) ? 'sorted' : 'compared';
}
