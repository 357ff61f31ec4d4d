import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../../harness/suite.ts';
import { runCommand } from '../../rigs/command.ts';
import { type BuildOutcome, SideBySide } from '../../rigs/side-by-side.ts';

/** One of distcc's own tests (testdistcc.py), told as a makefile's recipe. */
export interface Case {
  files?: Readonly<Record<string, string>>;
  /** Command lines, each of which must run remotely unless it `isConfirmed`; one after the other. */
  lines: readonly string[];
  /** So many of them at the same time, in any order. */
  jobs?: number;
  /** Its failure is none of a known compiler's, and so has to be confirmed here. */
  isConfirmed?: true;
  /** make's exit status. */
  status?: number;
  stdout?: string | RegExp;
  stderr?: string | RegExp;
  /** Path → what the file has in it; undefined: there is no such file. */
  made?: Readonly<Record<string, RegExp | undefined>>;
  env?: NodeJS.ProcessEnv;
  /** A program in PATH or of the compiler's own, without which the case is skipped. */
  needs?: string;
  check?: (outcome: BuildOutcome) => void | Promise<void>;
}

/** The program of most of distcc's tests. */
export const hello = {
  'testtmp.c':
    '#include <stdio.h>\n#include "testhdr.h"\nint main(void) {\n  puts(HELLO_WORLD);\n  return 0;\n}\n',
  'testhdr.h': '#define HELLO_WORLD "hello world"\n',
};

/** Replays the cases, name → case, with one master: as plain make does it, and everything remotely. */
export function replay(suiteName: string, cases: Readonly<Record<string, Case>>): void {
  suite(suiteName, (test) => {
    let builds: SideBySide;
    test.before(async () => {
      builds = await SideBySide.start();
    });
    test.after(() => builds?.[Symbol.asyncDispose]());
    for (const [name, wanted] of Object.entries(cases))
      test(name, () => runCase(builds, name, wanted), { deadlineMs: 60_000 });
  });
}

async function runCase(builds: SideBySide, name: string, wanted: Case): Promise<void> {
  if (wanted.needs !== undefined) await needProgram(wanted.needs);
  const outcome = await builds.build(name, {
    files: { ...wanted.files, Makefile: makefile(wanted) },
    args: [`-j${wanted.jobs ?? 1}`],
    ...(wanted.env && { env: wanted.env }),
  });
  assert.is(outcome.status, wanted.status ?? 0, outcome.stderr);
  const { commands, remote, cached, local, localByReason } = outcome.report;
  assert.is(remote + cached + local, commands);
  assert.equal(localByReason, wanted.isConfirmed ? { failed: 1 } : {});
  if (wanted.status === undefined) assert.is(commands, wanted.lines.length);
  expectText(outcome.stdout, wanted.stdout ?? '');
  if (wanted.status === undefined || wanted.stderr !== undefined)
    expectText(outcome.stderr, wanted.stderr ?? '');
  for (const [path, content] of Object.entries(wanted.made ?? {})) {
    const file = join(outcome.dir, path);
    if (content === undefined) assert.not(existsSync(file), `${path} is there`);
    else assert.match(readFileSync(file, 'latin1'), content);
  }
  await wanted.check?.(outcome);
}

function makefile({ lines, jobs }: Case): string {
  const commands = lines.map((line) => `\t@${line.replaceAll('$', '$$$$')}\n`);
  if (jobs === undefined) return `all:\n${commands.join('')}`;
  const targets = commands.map((_, index) => `target${index}`);
  const rules = commands.map((command, index) => `target${index}:\n${command}`);
  return `all: ${targets.join(' ')}\n${rules.join('')}`;
}

function expectText(actual: string, expected: string | RegExp): void {
  if (typeof expected === 'string') assert.is(actual, expected);
  else assert.match(actual, expected);
}

async function needProgram(program: string): Promise<void> {
  const find = 'command -v "$(gcc -print-prog-name="$1")" >/dev/null';
  const { status } = await runCommand(['sh', '-c', find, 'sh', program], { cwd: '/' });
  if (status !== 0) skip(`${program} is not installed`, 'tools');
}
