import * as assert from 'uvu/assert';
import { suite } from '../../harness/suite.ts';
import { type Build, type BuildOutcome, SideBySide } from '../../rigs/side-by-side.ts';
import { pathWith } from '../../rigs/tools.ts';

/** Something that make does with its shell: as plain make does it, so must Termite. */
export interface Fact extends Omit<Build, 'files'> {
  makefile: string;
  /** Beside the makefile. */
  files?: Build['files'];
  /** make's exit status. */
  status?: number;
  /** What shows that the makefile really does what the fact is about. */
  stdout?: RegExp;
  stderr?: RegExp;
  /** Why it is not so with Termite, as the README tells; then the builds have to differ. */
  deviates?: string;
  /** How many commands have to be done remotely, or tried there and found to belong here. */
  remote?: number;
  check?: (outcome: BuildOutcome) => void | Promise<void>;
}

/** Checks the facts, name → fact, with the system's make and with GNU make 4.4, each with one master. */
export function checkFacts(about: string, facts: Readonly<Record<string, Fact>>): void {
  for (const [make, path] of [
    ["the system's make", () => process.env['PATH']],
    ['GNU make 4.4', () => pathWith('make-4.4')],
  ] as const) {
    suite(`${about}, ${make}`, (test) => {
      let builds: SideBySide;
      test.before(async () => {
        path();
        builds = await SideBySide.start();
      });
      test.after(() => builds?.[Symbol.asyncDispose]());
      for (const [name, fact] of Object.entries(facts))
        test(name, () => checkFact(builds, name, { ...fact, env: { ...fact.env, PATH: path() } }), {
          deadlineMs: 60_000,
        });
    });
  }
}

async function checkFact(builds: SideBySide, name: string, fact: Fact): Promise<void> {
  if (fact.deviates === undefined) return await checkSame(builds, name, fact);
  const difference = await checkSame(builds, name, fact).catch((error: unknown) => error);
  assert.ok(difference, `There is no deviation any more: ${fact.deviates}`);
}

async function checkSame(builds: SideBySide, name: string, fact: Fact): Promise<void> {
  const { makefile, files, ...build } = fact;
  const outcome = await builds.build(name, { ...build, files: { ...files, Makefile: makefile } });
  assert.is(outcome.status, fact.status ?? 0, outcome.stderr);
  if (fact.stdout) assert.match(outcome.stdout, fact.stdout);
  if (fact.stderr) assert.match(outcome.stderr, fact.stderr);
  if (fact.remote !== undefined) assert.is(triedRemotely(outcome.report), fact.remote);
  await fact.check?.(outcome);
}

/** All but what is kept here beforehand. */
function triedRemotely({ commands, localByReason }: BuildOutcome['report']): number {
  const kept = ['rule', 'recursive', 'build-tool', 'trivial', 'background', 'outside-root', 'terminal'];
  return kept.reduce((rest, reason) => rest - (localByReason[reason] ?? 0), commands);
}
