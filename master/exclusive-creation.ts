import type { RunRequest } from '../protocol/run-request.ts';
import { commandLine } from './placement.ts';
import { type SimpleCommand, simpleCommands } from './shell-words.ts';
import { toolchainProgram } from './toolchain.ts';
import { isTrivialCommand } from './trivial-commands.ts';

/** Programs that only read, and print what others may redirect. */
const filters = new Set([
  ...[
    'awk',
    'basename',
    'cat',
    'cmp',
    'comm',
    'cut',
    'date',
    'diff',
    'dirname',
    'egrep',
    'env',
    'expr',
    'fgrep',
  ],
  ...[
    'find',
    'gawk',
    'grep',
    'head',
    'id',
    'join',
    'ls',
    'm4',
    'mawk',
    'nl',
    'od',
    'paste',
    'pwd',
    'readlink',
  ],
  ...[
    'realpath',
    'sed',
    'seq',
    'sha1sum',
    'sha256sum',
    'sort',
    'stat',
    'tail',
    'tee',
    'tr',
    'uname',
    'uniq',
    'wc',
  ],
]);

/**
 * Whether a command may rely on being the one who makes what it makes: `mkdir`, `ln` or O_EXCL fail where a name is taken,
 * and who wins decides what happens next. Then it does matter when another command has made the same meanwhile. Only where
 * all programs of the line are known not to do that, as `mkdir -p`, a command is none of them.
 */
export function mayCreateExclusively(request: Pick<RunRequest, 'argv' | 'isExec'>): boolean {
  if (request.isExec) return toolchainProgram(request.argv[0] ?? '') === undefined;
  const line = commandLine(request);
  // `set -C` makes `>` exclusive.
  return /\bset\s+-\w*C|noclobber/.test(line) || !simpleCommands(line).every(sharesNames);
}

function sharesNames(command: SimpleCommand): boolean {
  const name = command.name.slice(command.name.lastIndexOf('/') + 1);
  const hasOption = (pattern: RegExp) => command.args.some((arg) => pattern.test(arg));
  if (name === 'mkdir') return hasOption(/^-\w*p|^--parents$/);
  if (name === 'ln') return hasOption(/^-\w*f|^--force$/);
  // libtool's own `mkdir .libs` does not mind when another was faster.
  if (command.args.some((arg) => /(?:^|\/)libtool$/.test(arg)) || name === 'libtool') return true;
  return filters.has(name) || toolchainProgram(command.name) !== undefined || isTrivialCommand(command);
}
