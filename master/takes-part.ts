import { type SimpleCommand, simpleCommands } from './shell-words.ts';

const make = /^(?:.*\/)?(?:g?make|termite)$|^\$\{?MAKE\}?$/;
const ninja = /^(?:.*\/)?(?:ninja|ninja-build|samu)$/;
const cmake = /^(?:.*\/)?cmake3?$/;
const meson = /^(?:.*\/)?meson$/;

/** Whether a command is a make, or a build of Termite's own. */
export function isMake({ name }: SimpleCommand): boolean {
  return make.test(name);
}

/** Whether a command is another tool whose commands are those of a build. */
export function isBuilder({ name, args }: SimpleCommand): boolean {
  if (cmake.test(name)) return args.includes('--build');
  return ninja.test(name) || (meson.test(name) && args[0] === 'compile');
}

/** make under any of its names, wherever it stands: behind `time`, `env X=1`, in the argument of `sh -c`. */
const makeWord = /(?:^|[\s;&|(){}"'`/=])(?:[gbp]|re)?make(?:-[\d.]+)?(?=$|[\s;&|(){}"'`])|\$\{?MAKE\b/;

/**
 * Whether what a line starts takes part in the build that the line belongs to: because it is a make or another build tool. All
 * others want this machine as it is, and so does a make that they start for themselves, as `gcc -flto` and tests do.
 *
 * @param isOfMake make itself takes the line for one that runs a make
 */
export function takesPart(line: string, { isOfMake }: { isOfMake: boolean }): boolean {
  if (isOfMake && makeWord.test(line)) return true;
  if (!/make|MAKE|termite|ninja|samu|meson/.test(line)) return false;
  return simpleCommands(line).some((command) => isMake(command) || isBuilder(command));
}
