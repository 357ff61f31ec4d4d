import { cpSync, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { fsPath } from '../../runtime/byte-path.ts';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { availableUsers, sandboxObstacle, type User } from '../rigs/user.ts';

/** `expect.json` of a case: how to call make, and where its commands have to run. */
const expectationSchema = z.strictObject({
  args: z.array(z.string()).default(['-j2']),
  /** make's stdin. */
  input: z.string().default(''),
  status: z.number().int().default(0),
  /** stdout and stderr into one pipe: then their order is compared as well. */
  mergeOutput: z.boolean().default(false),
  remote: z.number().int(),
  local: z.number().int(),
  /** Whether a second make has nothing to do. */
  repeatable: z.boolean().default(true),
});

const casesDir = resolve(import.meta.dirname, '../../../test/e2e/cases');

for (const user of availableUsers()) {
  suite(`End to end as ${user} user`, (test) => {
    for (const name of readdirSync(casesDir))
      test(name, () => runCase(user, name, ['make']), { deadlineMs: 60_000 });
  });
}

suite('End to end, with make as any other tool', (test) => {
  for (const name of readdirSync(casesDir))
    test(name, () => runCase('ordinary', name, ['build', 'make']), { deadlineMs: 60_000 });
});

/**
 * Builds the case with plain make and with Termite in the same path; outputs, status and text have to be equal.
 *
 * @param make words behind `termite`
 */
async function runCase(user: User, name: string, make: readonly string[]): Promise<void> {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  const source = join(casesDir, name);
  const wanted = expectationSchema.parse(JSON.parse(readFileSync(join(source, 'expect.json'), 'utf8')));
  await using rig = new TermiteRig(user);
  const fill = () => {
    for (const entry of readdirSync(rig.project)) rmSync(join(rig.project, entry), { recursive: true });
    cpSync(source, rig.project, { recursive: true });
    rig.give(rig.project);
  };
  const merge = wanted.mergeOutput ? ['sh', '-c', 'exec "$@" 2>&1', 'sh'] : [];
  const options = { input: wanted.input };

  fill();
  const plain = await rig.run([...merge, 'make', ...wanted.args], options);
  const expectedTree = readTree(rig.project);
  assert.is(plain.status, wanted.status, plain.stderr);

  fill();
  const termite = await rig.report([...make, ...wanted.args], { ...options, through: merge });
  const { report } = termite;
  assert.is(termite.status, wanted.status, termite.stderr);
  assert.equal(differences(expectedTree, readTree(rig.project)), []);
  assert.is(comparable(termite.stdout, wanted.mergeOutput), comparable(plain.stdout, wanted.mergeOutput));
  assert.equal(
    {
      remote: report.remote + report.cached,
      local: report.local,
      fallbacks: report.fallbacks,
      conflicts: report.conflicts,
    },
    { remote: wanted.remote, local: wanted.local, fallbacks: 0, conflicts: 0 },
    termite.stderr,
  );

  if (!wanted.repeatable) return;
  // Not "no command at all": $(shell …) runs whenever a makefile is read.
  const timesBefore = modificationTimes(rig.project);
  const again = await rig.termite([...make, ...wanted.args], options);
  assert.is(again.status, 0, again.stderr);
  assert.equal(modificationTimes(rig.project), timesBefore);
  const plainAgain = await rig.run(['make', '-q', ...wanted.args], options);
  assert.is(plainAgain.status, 0, 'plain make agrees that everything is up to date');
}

/** Of all files below, in nanoseconds: whoever writes one again changes it. */
function modificationTimes(dir: string): [string, bigint][] {
  return [...readTree(dir).keys()].map((path) => [
    path,
    lstatSync(fsPath(`${dir}/${path}`), { bigint: true }).mtimeNs,
  ]);
}

/** Parallel commands may end in any order: without -j1 only the set of lines is comparable. */
function comparable(stdout: string, isOrdered: boolean): string {
  const lines = stdout.replace(/termite: .*\n/g, '').split('\n');
  return (isOrdered ? lines : lines.sort()).join('\n');
}
