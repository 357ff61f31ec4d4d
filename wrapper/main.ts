#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { AppError, explainError } from '../runtime/app-error.ts';
import type { ExitStatus } from '../runtime/child-process.ts';
import { nearest } from '../runtime/nearest.ts';
import { exactArguments, exactEnvironment } from '../runtime/process-bytes.ts';
import { say } from '../runtime/say.ts';
import type { NativePaths } from './command.ts';
import { endLike, flush } from './foreground.ts';
import { ignoreInherited } from './inherited-signals.ts';

const env = exactEnvironment(process.env);
const packageRoot = resolve(import.meta.dirname, '../..');

const native: NativePaths = {
  shellPath: join(packageRoot, 'native/build/libexec/sh'),
  standInPath: join(packageRoot, 'native/build/libexec/stand-in'),
  preloadPath: join(packageRoot, 'native/build/libexec/long-lines.so'),
  stagePath: join(packageRoot, 'native/build/termite-stage'),
  launcherPath: join(packageRoot, 'native/build/termite-launcher'),
};

const help = `termite COMMAND [ARGS…]
Runs the commands of a build on other machines, or not at all when their results are known.

  make [ARGS…]     Runs make
  ninja [ARGS…]    Runs ninja
  cmake [ARGS…]    Runs cmake; with "--build", the build's commands as "make" does
  build CMD…       Runs any program that runs make or ninja
  run CMD [ARGS…]  Runs one program
  masquerade       Makes links in the place of compilers, which ask a master first
  log              Lists the commands of the last build
  why [COMMAND]    Tells where a command of the last build ran, and why
  rules [CMD…]     Tells which rule decides where a command runs; without CMD lists all rules
  cache ACTION     Looks after past results: stats, gc, verify, clear
  status           Prints what the project's master is doing
  stop             Ends the project's master
  master           Runs a master that stays; builds start one when there is none
  executor         Runs jobs of masters
  coordinator      Keeps the list of executors
  help [COMMAND]   Prints this, or what "termite COMMAND --help" prints
  version          Prints the version

"termite COMMAND --help" says more. Exit status: that of make or of the program, or 125 for trouble of our own.
`;

type Command = (argv: string[]) => Promise<ExitStatus>;

/** Each is loaded when it is called for: loading all of them takes longer than most commands. */
const commands: Readonly<Record<string, Command>> = {
  make: async (argv) => (await import('./make-command.ts')).makeCommand(argv, { env, ...native }),
  ninja: async (argv) => (await import('./ninja-command.ts')).ninjaCommand(argv, { env, ...native }),
  cmake: async (argv) => (await import('./cmake-command.ts')).cmakeCommand(argv, { env, ...native }),
  build: async (argv) => (await import('./build-command.ts')).buildCommand(argv, { env, ...native }),
  run: async (argv) => (await import('./run-command.ts')).runCommand(argv, env),
  masquerade: succeeding(async (argv) =>
    (await import('./masquerade-command.ts')).masqueradeCommand(argv, native),
  ),
  log: succeeding(async (argv) => (await import('./log-command.ts')).logCommand(argv, env)),
  why: succeeding(async (argv) => (await import('./why-command.ts')).whyCommand(argv, env)),
  rules: succeeding(async (argv) =>
    (await import('./rules-command.ts')).rulesCommand(argv, { env, ...native }),
  ),
  cache: succeeding(async (argv) => (await import('./cache-command.ts')).cacheCommand(argv, env)),
  status: succeeding(async (argv) => (await import('./status-command.ts')).statusCommand(argv, env)),
  stop: succeeding(async (argv) => (await import('./stop-command.ts')).stopCommand(argv, env)),
  master: succeeding(async (argv) => (await import('../master/main.ts')).masterMain(argv)),
  executor: succeeding(async (argv) => (await import('../executor/main.ts')).executorMain(argv)),
  coordinator: succeeding(async (argv) => (await import('../coordinator/main.ts')).coordinatorMain(argv)),
  help: succeeding(async ([name]) => {
    if (name === undefined) return print(help);
    await commandOf(name)(['--help']);
  }),
  version: succeeding(async () => print(`termite ${version()}\n`)),
};

/** A command that has succeeded when it returns. */
function succeeding(command: (argv: string[]) => Promise<void>): Command {
  return async (argv) => {
    await command(argv);
    return { kind: 'exit', code: 0 };
  };
}

function print(text: string): void {
  process.stdout.write(text);
}

function version(): string {
  return JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version;
}

async function main([name, ...argv]: string[]): Promise<ExitStatus> {
  return commandOf(name)(argv);
}

const otherNames: Readonly<Record<string, string>> = {
  ...{ '--help': 'help', '-h': 'help', '--version': 'version', '-V': 'version', '-v': 'version' },
};

/** @throws AppError `bad-arguments` */
function commandOf(typed: string | undefined): Command {
  const name = Object.hasOwn(otherNames, typed ?? '') ? otherNames[typed!]! : (typed ?? '');
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command) return command;
  const meant = nearest(name, Object.keys(commands));
  throw new AppError(typed === undefined ? 'A command is missing' : `Unknown command "${typed}"`, {
    ...{ code: 'bad-arguments', category: 'caller' },
    hint:
      meant === undefined ? 'See "termite --help"' : `Did you mean "termite ${meant}"? See "termite --help"`,
  });
}

ignoreInherited(env);
try {
  // Whoever read our output has gone.
  process.stdout.on('error', () => endLike({ kind: 'signal', signal: constants.signals.SIGPIPE }));
  const status = await main(exactArguments(process.argv.slice(2)));
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  endLike(status);
} catch (error) {
  // Where in the program a bug is helps only whoever looks for it.
  const isBug = error instanceof Error && !(error instanceof AppError) && env['TERMITE_DEBUG'];
  say((isBug && error.stack) || explainError(error), { onWritten: () => process.exit(125) });
}
