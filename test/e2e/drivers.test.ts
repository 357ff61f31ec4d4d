import { cpSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { mustRun } from '../rigs/command.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { asUser, availableUsers, needPrograms, sandboxObstacle, type User } from '../rigs/user.ts';

const source = resolve(import.meta.dirname, '../../../test/fixtures/cmake');

/** Ways to build one CMake project; plainly they are called as behind `termite`. */
interface Driver {
  name: string;
  generator: string;
  /** Behind `termite`; without it plainly, less `build`. */
  argv: string[];
  /** Commands that go to executors; the rest is trifles of cmake's. */
  remote: number;
}

const drivers: Driver[] = [
  // Three objects, words.h, an archive, two links.
  { name: 'ninja', generator: 'Ninja', argv: ['ninja', '-C', 'build'], remote: 7 },
  { name: 'cmake and ninja', generator: 'Ninja', argv: ['cmake', '--build', 'build'], remote: 7 },
  // The same, for links by way of "cmake -E cmake_link_script".
  { name: 'cmake and make', generator: 'Unix Makefiles', argv: ['cmake', '--build', 'build'], remote: 7 },
  { name: 'a script', generator: 'Unix Makefiles', argv: ['build', './build.sh'], remote: 7 },
];

for (const user of availableUsers()) {
  suite(`A CMake project as ${user} user`, (test) => {
    for (const driver of drivers) {
      test(`is built by ${driver.name}`, () => build(user, driver), { deadlineMs: 90_000 });
    }
  });
}

/** Builds what cmake has configured once, with and without Termite: outputs have to be equal, a second build idle. */
async function build(user: User, { generator, argv, remote }: Driver): Promise<void> {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  needPrograms('cmake', 'ninja');
  await using rig = new TermiteRig(user);
  cpSync(source, rig.project, { recursive: true });
  writeFileSync(join(rig.project, 'build.sh'), '#!/bin/sh -e\ncd build\nmake -j2\n', { mode: 0o755 });
  rig.give(rig.project);
  const configured = join(rig.base, 'configured');
  await mustRun(asUser(user, ['cmake', '-G', generator, '-B', 'build']), { cwd: rig.project, env: rig.env });
  // Compiled in: the same path is built twice.
  const copy = (from: string, to: string) => cpSync(from, to, { recursive: true, preserveTimestamps: true });
  copy(rig.project, configured);

  const plain = await rig.run(argv[0] === 'build' ? argv.slice(1) : argv);
  assert.is(plain.status, 0, plain.stderr);
  const expected = readTree(rig.project, isRecordOfTimes);
  assert.is((await rig.run(['build/main'])).stdout, 'HELLO\n');

  for (const name of readdirSync(rig.project)) rmSync(join(rig.project, name), { recursive: true });
  copy(configured, rig.project);
  rig.give(rig.project);
  const termite = await rig.report(argv);
  assert.is(termite.status, 0, termite.stderr);
  assert.equal(differences(expected, readTree(rig.project, isRecordOfTimes)), []);
  const { report } = termite;
  assert.equal([report.remote + report.cached, report.fallbacks], [remote, 0], termite.stderr);

  const before = times(rig.project);
  const again = await rig.report(argv);
  assert.equal([again.status, again.report.remote + again.report.cached], [0, 0], again.stderr);
  assert.equal(times(rig.project), before);
  const plainAgain = await rig.run(argv[0] === 'build' ? argv.slice(1) : argv);
  assert.is(plainAgain.status, 0);
  assert.equal(times(rig.project), before, 'plainly nothing is left to do either');
}

/** ninja's logs hold times and durations. */
function isRecordOfTimes(path: string): boolean {
  return /(?:^|\/)\.ninja_(?:log|deps)$/.test(path);
}

/** Of the outputs that a build is about. */
function times(project: string): bigint[] {
  return ['words.h', 'libgreet.a', 'libshout.so', 'main'].map(
    (name) => lstatSync(join(project, 'build', name), { bigint: true }).mtimeNs,
  );
}
