import { simpleCommands } from './shell-words.ts';

/** Programs that only make, move and remove names, or tell whether they are there. */
export const trivialPrograms: readonly string[] = [
  ...['chmod', 'cp', 'install', 'ln', 'mkdir', 'mv', 'rm', 'rmdir', 'test', 'touch'],
];
/** What the shell does itself and takes no time. `for` stands for its own list of words. */
const builtins = ':|cd|echo|exit|false|for|printf|set|true|umask';

const name = `(?:(?:/usr)?/bin/)?(?:\\[|${trivialPrograms.join('|')})|${builtins}`;
const trivialName = new RegExp(`^(?:${name})$`);
/** Spares the many lines that begin otherwise the parsing. */
const trivialBeginning = new RegExp(`^[\\s({!]*(?:if\\s+|while\\s+)?[!\\s]*(?:${name})(?=[\\s;]|$)`);
/** Redirections that are not just to nowhere or to the other output. */
const redirection = /<|>(?!&[12](?!\d)|\s*\/dev\/null(?![\w./-]))/;

/**
 * Whether a line does nothing but shuffle files around or print, so that it costs less beside make than what a sandbox takes
 * to start. Decided by the names of its programs alone: the watcher tells what it changed, so a guess that is
 * wrong costs time only.
 */
export function isTrivial(line: string): boolean {
  if (!trivialBeginning.test(line) || redirection.test(line)) return false;
  return simpleCommands(line).every((command) => trivialName.test(command.name));
}
