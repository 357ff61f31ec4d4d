import { type SimpleCommand, simpleCommands } from './shell-words.ts';

/** Programs that only make, move and remove names, or tell whether they are there. */
const programs = ['chmod', 'cp', 'install', 'ln', 'mkdir', 'mv', 'rm', 'rmdir', 'test', 'touch'];
/** For people: these, and what CMake has of the same. */
export const trivialPrograms: readonly string[] = ['cmake -E', ...programs];
/** What the shell does itself and takes no time. `for` stands for its own list of words. */
const builtins = ':|cd|echo|exit|false|for|printf|set|true|umask';

const name = `(?:(?:/usr)?/bin/)?(?:\\[|${programs.join('|')})|${builtins}`;
const trivialName = new RegExp(`^(?:${name})$`);
const cmake = '(?:\\S*/)?cmake3?';
const cmakeName = new RegExp(`^${cmake}$`);
/** What runs linkers or compilers behind `-E`: makefiles link by the first, compiles with clang-tidy go through the other. */
const compiling = new Set(['cmake_link_script', '__run_co_compile']);
/** Spares the many lines that begin otherwise the parsing. */
const trivialBeginning = new RegExp(`^[\\s({!]*(?:if\\s+|while\\s+)?[!\\s]*(?:${name}|${cmake})(?=[\\s;]|$)`);
/** Redirections that are not just to nowhere or to the other output. */
const redirection = /<|>(?!&[12](?!\d)|\s*\/dev\/null(?![\w./-]))/;

/**
 * Whether a line does nothing but shuffle files around or print, so that it costs less beside make than what a sandbox takes
 * to start. Decided by the names of its programs alone: the watcher tells what it changed, so a guess that is
 * wrong costs time only.
 */
export function isTrivial(line: string): boolean {
  if (!trivialBeginning.test(line) || redirection.test(line)) return false;
  return simpleCommands(line).every(isTrivialCommand);
}

/** The same of one command, without its redirections. */
export function isTrivialCommand({ name, args: [option, command = ''] }: SimpleCommand): boolean {
  return trivialName.test(name) || (cmakeName.test(name) && option === '-E' && !compiling.has(command));
}
