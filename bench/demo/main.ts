import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Builder, repositoryDir, type TermiteRun } from '../builder.ts';
import { differences, readTree, writtenFiles } from '../file-tree.ts';
import type { Run } from '../run-command.ts';
import { textTable } from '../text-table.ts';

/**
 * `npm start`: builds LevelDB in one folder, first with plain make, then twice with Termite, and compares everything that
 * they made byte for byte. Exit status 1 on any difference, and when Termite had to fall back to running a command locally.
 */
async function main(): Promise<number> {
  if (spawnSync('g++', ['--version']).status !== 0) {
    console.error('termite demo: LevelDB needs a C++ compiler: apt-get install g++');
    return 1;
  }
  const projectDir = await mkdtemp(join(tmpdir(), 'termite-demo-'));
  try {
    await copyLeveldb(projectDir);
    return await compareBuilds(projectDir);
  } finally {
    await rm(projectDir, { recursive: true, force: true });
  }
}

async function compareBuilds(projectDir: string): Promise<number> {
  const jobs = `-j${availableParallelism()}`;
  await using builder = await Builder.create(projectDir, { makeArgs: [jobs] });
  const sources = await readTree(projectDir);

  console.log(`Building LevelDB with make ${jobs} …`);
  const plain = await builder.plain();
  const plainTree = await readTree(projectDir);
  const made = writtenFiles(sources, plainTree);
  await rm(join(projectDir, 'out'), { recursive: true });

  console.log(`Building it again with termite make ${jobs}, in the same folder …`);
  const cold = await builder.termite();
  const coldDifferences = differences(plainTree, await readTree(projectDir));
  await rm(join(projectDir, 'out'), { recursive: true });

  console.log('And once more, with what it knows by now …');
  const repeated = await builder.termite();
  const repeatedDifferences = differences(plainTree, await readTree(projectDir));
  console.log(`\n${resultTable(plain, { cold, repeated })}\n`);
  const problems = [
    ...[...coldDifferences, ...repeatedDifferences].map((difference) => `differs: ${difference}`),
    ...(made.length === 0 ? ['plain make built nothing'] : []),
    ...(cold.report.remote === 0 ? ['no command ran remotely'] : []),
    ...[cold, repeated].flatMap(troubles),
  ];
  if (problems.length === 0) {
    console.log(`All ${made.length} files that each of the builds made are identical, byte for byte.`);
    return 0;
  }
  console.error(problems.join('\n'));
  return 1;
}

/** What must not pass silently, with what Termite itself said about it. */
function troubles({ report: { fallbacks, conflicts }, output }: TermiteRun): string[] {
  if (fallbacks + conflicts === 0) return [];
  const said = output.split('\n').filter((line) => /^(termite: | {2}\S)/.test(line));
  return [`${fallbacks} commands fell back to running locally, ${conflicts} were in conflict`, ...said];
}

function resultTable(plain: Run, { cold, repeated }: { cold: TermiteRun; repeated: TermiteRun }): string {
  const seconds = (run: Run) => (run.wallMs / 1000).toFixed(1);
  const row = (name: string, run: TermiteRun) => {
    const { commands, remote, cached, local } = run.report;
    const counts = [commands, remote, cached, local].map(String);
    return [name, seconds(run), (run.wallMs / plain.wallMs).toFixed(2), ...counts];
  };
  return textTable([
    ['', 'seconds', 'ratio', 'commands', 'remote', 'cached', 'local'],
    ['plain make', seconds(plain), '1.00', '', '', '', ''],
    row('termite make, cold', cold),
    row('termite make, again', repeated),
  ]);
}

/** The sources of the package classic-level, wherever npm put it, and our Makefile. */
async function copyLeveldb(projectDir: string): Promise<void> {
  const levelPackage = createRequire(import.meta.url).resolve('level');
  const classicLevel = createRequire(levelPackage).resolve('classic-level/package.json');
  const sources = join(dirname(classicLevel), 'deps', 'leveldb', 'leveldb-1.20');
  await cp(sources, projectDir, { recursive: true });
  await cp(join(repositoryDir, 'bench', 'demo', 'Makefile'), join(projectDir, 'Makefile'));
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`termite demo: ${error instanceof Error ? error.message : error}`);
  return 1;
});
