import { loadRuleBook, resolveRoot } from '../master/master-client.ts';
import { plainContext } from '../protocol/process-context.ts';
import type { RunRequest } from '../protocol/run-request.ts';
import { printLines, say } from '../runtime/say.ts';
import type { Environment, NativePaths } from './command.ts';
import { describePlacement, listRules } from './describe-rules.ts';
import { projectAround, projectAt } from './find-socket.ts';
import { splitOwnFlags } from './own-flags.ts';
import { findBuildLog } from './read-build-log.ts';

const help = `termite rules [--root DIR] [CMD…]
Tells where a command would run from the current folder, and which rule decides; without CMD lists all rules, in the
order in which they are asked. Lines are those of .termite-localrc in the project's root.

  CMD         A command line as in a recipe. Whether make takes the line for recursive is not known here
  --root DIR  Root of the project (default: where a master runs, else the current folder)
  --help      Prints this
`;

/** @throws AppError `bad-configuration` when the rules are wrong */
export async function rulesCommand(
  argv: readonly string[],
  { env, shellPath }: { env: Environment } & Pick<NativePaths, 'shellPath'>,
): Promise<void> {
  const own = { command: 'termite rules', valued: ['root'], plain: ['help'] };
  const { flags, rest } = splitOwnFlags(argv, own);
  if (flags.has('help')) return void process.stdout.write(help);
  const root = flags.get('root');
  const project = root === undefined ? projectAround('.', env) : projectAt(root, env);
  const { LocalRules, builtInRules, place } = await loadRuleBook();
  const file = new LocalRules(project.root);
  const { rules, notices } = file.current();
  for (const notice of notices) say(notice);
  const line = (rest[0] === '--' ? rest.slice(1) : rest).join(' ');
  if (line === '') return printLines(listRules(rules, builtInRules));
  const placement = place(requestOf(line, resolveRoot('.')), {
    ...{ rules, projectRoot: project.root, ownShell: shellPath },
  });
  const matching = rules.filter(({ regexp }) => regexp.test(line));
  const cwd = resolveRoot('.');
  const earlier = findBuildLog(project.root, env)?.commands.findLast(
    (record) => record.limit && record.cwd === cwd && record.line.trim() === line.trim(),
  );
  printLines(describePlacement(placement, { path: file.path, matching, limit: earlier?.limit }));
}

/** The line as make's shell would report it. */
function requestOf(line: string, cwd: string): RunRequest {
  return {
    ...{ argv: ['-c', line], shell: '/bin/sh', cwd, env: [], umask: 0o022 },
    ...{ mergeOutput: false, hasJobserver: false, isExec: false },
    ...{ isStdinEmpty: true, isStdinTerminal: false, processId: 0 },
    context: plainContext,
  };
}
