import { leavesRunning, type SimpleCommand, simpleCommands } from './shell-words.ts';
import { isBuilder, isMake } from './takes-part.ts';
import { isTrivial, trivialPrograms } from './trivial-commands.ts';

/** Why a line is better run where make is, by what it is. */
export type BuiltInReason = 'recursive' | 'build-tool' | 'trivial' | 'background' | 'lock' | 'privilege';

export interface BuiltInRule {
  reason: BuiltInReason;
  /** By name or as a name with options. */
  programs: readonly string[];
  /** All programs of a line have to be among them; else one is enough. */
  needsAll?: true;
  /** What they start takes part in the build. */
  takesPart?: true;
}

/** Programs for nothing but locks. Debian has them in util-linux, procmail, liblockfile-bin, daemontools and moreutils. */
const lockPrograms = ['flock', 'lockfile', 'dotlockfile', 'lockfile-create', 'setlock', 'lckdo'];

/**
 * Programs that change who one is or what one sees, or remember by device and inode who owns what (fakeroot), and those for nothing but
 * what things take on the disk: that of what a command has just made is another in a sandbox, and is no part of any content.
 */
const privilegedPrograms = [
  ...[
    'fakeroot',
    'fakechroot',
    'pseudo',
    'sudo',
    'doas',
    'su',
    'pkexec',
    'chroot',
    'unshare',
    'nsenter',
    'mount',
  ],
  ...['umount', 'losetup', 'mknod', 'setcap', 'bwrap', 'docker', 'podman', 'systemd-nspawn', 'mmdebstrap'],
  ...['df', 'du'],
];
const privileged = new RegExp(`\\b(?:${privilegedPrograms.join('|')})\\b`);

/** For people: which programs are meant, in the order in which they are asked for. */
export const builtInRules: readonly BuiltInRule[] = [
  { reason: 'recursive', programs: ['make', 'gmake', 'termite'], takesPart: true },
  { reason: 'build-tool', programs: ['cmake --build', 'ninja', 'samu', 'meson compile'], takesPart: true },
  { reason: 'build-tool', programs: ['cmake -P', 'cmake -S', 'ctest', 'meson'] },
  { reason: 'trivial', programs: trivialPrograms, needsAll: true },
  { reason: 'lock', programs: lockPrograms },
  { reason: 'privilege', programs: privilegedPrograms },
];

const cmake = /^(?:.*\/)?cmake3?$/;
const buildTool = /^(?:.*\/)?(?:ctest3?|meson)$/;

/**
 * The rules that hold without any configuration: a make below make joins in by itself; the other tools that start builds cost
 * less here than anywhere else; and so do `mkdir`, `mv`, `cmake -E` and their like. What is started in the background shall
 * live on, which it does only here. Nor can commands that lock, or wait for each other's files, see each other elsewhere.
 */
export function builtInReason(line: string): BuiltInReason | undefined {
  const reason = toolReason(line) ?? (isTrivial(line) ? 'trivial' : undefined);
  if (reason) return reason;
  if (line.includes('&') && leavesRunning(line)) return 'background';
  if (waits(line)) return 'lock';
  return privileged.test(line) && runsOneOf(privilegedPrograms, line) ? 'privilege' : undefined;
}

function toolReason(line: string): 'recursive' | 'build-tool' | undefined {
  // Nearly all lines name none of these anywhere: spare them the parsing.
  if (!/make|MAKE|termite|ctest|ninja|samu|meson/.test(line.replaceAll('\\\n', ''))) return undefined;
  const commands = simpleCommands(line);
  if (commands.some(isMake)) return 'recursive';
  return commands.some(isBuildTool) ? 'build-tool' : undefined;
}

/** Whether a line takes a lock, or looks again and again until somebody else has done something. */
function waits(line: string): boolean {
  if (!/lock|lckdo|sleep/.test(line)) return false;
  if (/\b(?:until|while)\b/.test(line) && /\bsleep\b/.test(line)) return true;
  return runsOneOf(lockPrograms, line);
}

function runsOneOf(programs: readonly string[], line: string): boolean {
  return simpleCommands(line).some(({ name }) => programs.includes(name.slice(name.lastIndexOf('/') + 1)));
}

function isBuildTool(command: SimpleCommand): boolean {
  const { name, args } = command;
  if (cmake.test(name) && args.some((arg) => /^(?:-P|-S.*)$/.test(arg))) return true;
  return buildTool.test(name) || isBuilder(command);
}
