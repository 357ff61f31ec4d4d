import { type SimpleCommand, simpleCommands } from './shell-words.ts';

/** Why a line is better run where make is, by what it is. */
export type BuiltInReason = 'recursive' | 'build-tool';

/** For people: which programs are meant, by name or as a name with options; in the order in which they are asked for. */
export const builtInRules: readonly { reason: BuiltInReason; programs: readonly string[] }[] = [
  { reason: 'recursive', programs: ['make', 'gmake', 'termite'] },
  {
    reason: 'build-tool',
    programs: ['cmake -E', 'cmake -P', 'cmake -S', 'cmake --build', 'ctest', 'ninja', 'samu', 'meson'],
  },
];

const make = /^(?:.*\/)?(?:g?make|termite)$|^\$\{?MAKE\}?$/;
const cmake = /^(?:.*\/)?cmake3?$/;
const buildTool = /^(?:.*\/)?(?:ctest3?|ninja|ninja-build|samu|meson)$/;

/**
 * The rules that hold without any configuration: a make below make joins in by itself, and the other tools that start
 * builds, or that CMake's makefiles call for each trifle (`cmake -E`), cost less here than anywhere else.
 */
export function builtInReason(line: string): BuiltInReason | undefined {
  // Nearly all lines name none of these anywhere: spare them the parsing.
  if (!/make|MAKE|termite|ctest|ninja|samu|meson/.test(line.replaceAll('\\\n', ''))) return undefined;
  const commands = simpleCommands(line);
  if (commands.some(({ name }) => make.test(name))) return 'recursive';
  return commands.some(isBuildTool) ? 'build-tool' : undefined;
}

function isBuildTool({ name, args }: SimpleCommand): boolean {
  if (cmake.test(name)) return args.some((arg) => /^(?:-E|-P|-S.*|--build)$/.test(arg));
  return buildTool.test(name);
}
