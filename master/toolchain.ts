import type { RunRequest } from '../protocol/run-request.ts';
import { commandLine } from './placement.ts';
import { simpleCommands } from './shell-words.ts';
import { isTrivialCommand } from './trivial-commands.ts';

/** Compilers of the C family and of Fortran, with a target in front or a version behind. */
export const compilerName =
  /^(?:[\w.+]+-)*(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+|c89|c99|gfortran)(?:-[\d.]+)?$/;
const binutilName =
  /^(?:[\w.+]+-)*(?:as|ld|ld\.bfd|ld\.gold|ld\.lld|gold|lld|mold|ar|gcc-ar|llvm-ar|ranlib|gcc-ranlib|llvm-ranlib|nm|objcopy|llvm-objcopy|objdump|strip|llvm-strip)(?:-[\d.]+)?$/;

/**
 * The name of a program that is part of a known toolchain; undefined for any other. One that the project itself has made
 * may have the name of a compiler, but nobody knows what it does.
 *
 * @param word the program as a command line spells it
 */
export function toolchainProgram(word: string): string | undefined {
  const slash = word.lastIndexOf('/');
  const isInstalled = slash < 0 || /^\/(?:usr|bin|opt)\//.test(word);
  const name = word.slice(slash + 1);
  return isInstalled && (compilerName.test(name) || binutilName.test(name)) ? name : undefined;
}

/**
 * Whether a command runs nothing but compilers, assemblers, archivers and linkers, and what is trivial beside them: programs
 * whose failures and whose use of their surroundings are known.
 */
export function isToolchainOnly(request: Pick<RunRequest, 'argv' | 'isExec'>): boolean {
  if (request.isExec) return toolchainProgram(request.argv[0] ?? '') !== undefined;
  const commands = simpleCommands(commandLine(request));
  return (
    commands.some(({ name }) => toolchainProgram(name) !== undefined) &&
    commands.every((command) => toolchainProgram(command.name) !== undefined || isTrivialCommand(command))
  );
}
