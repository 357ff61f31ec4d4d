import { leavesRunning, type SimpleCommand, simpleCommands } from './shell-words.ts';
import { isTrivial, trivialPrograms } from './trivial-commands.ts';

/** Why a line is better run where make is, by what it is. */
export type BuiltInReason = 'recursive' | 'build-tool' | 'trivial' | 'background';

export interface BuiltInRule {
  reason: BuiltInReason;
  /** By name or as a name with options. */
  programs: readonly string[];
  /** All programs of a line have to be among them; else one is enough. */
  needsAll?: true;
}

/** For people: which programs are meant, in the order in which they are asked for. */
export const builtInRules: readonly BuiltInRule[] = [
  { reason: 'recursive', programs: ['make', 'gmake', 'termite'] },
  {
    reason: 'build-tool',
    programs: ['cmake -P', 'cmake -S', 'cmake --build', 'ctest', 'ninja', 'samu', 'meson'],
  },
  { reason: 'trivial', programs: trivialPrograms, needsAll: true },
];

const make = /^(?:.*\/)?(?:g?make|termite)$|^\$\{?MAKE\}?$/;
const cmake = /^(?:.*\/)?cmake3?$/;
const buildTool = /^(?:.*\/)?(?:ctest3?|ninja|ninja-build|samu|meson)$/;

/**
 * The rules that hold without any configuration: a make below make joins in by itself; the other tools that start builds cost
 * less here than anywhere else; and so do `mkdir`, `mv`, `cmake -E` and their like. What is started in the background shall
 * live on, which it does only here.
 */
export function builtInReason(line: string): BuiltInReason | undefined {
  const reason = toolReason(line) ?? (isTrivial(line) ? 'trivial' : undefined);
  return reason ?? (line.includes('&') && leavesRunning(line) ? 'background' : undefined);
}

function toolReason(line: string): 'recursive' | 'build-tool' | undefined {
  // Nearly all lines name none of these anywhere: spare them the parsing.
  if (!/make|MAKE|termite|ctest|ninja|samu|meson/.test(line.replaceAll('\\\n', ''))) return undefined;
  const commands = simpleCommands(line);
  if (commands.some(({ name }) => make.test(name))) return 'recursive';
  return commands.some(isBuildTool) ? 'build-tool' : undefined;
}

function isBuildTool({ name, args }: SimpleCommand): boolean {
  if (cmake.test(name)) return args.some((arg) => /^(?:-P|-S.*|--build)$/.test(arg));
  return buildTool.test(name);
}
