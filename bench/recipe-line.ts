import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Builder, repositoryDir } from './builder.ts';
import { describeEnvironment } from './environment.ts';
import { summarize } from './statistics.ts';
import { textTable } from './text-table.ts';

/**
 * `node dist/bench/recipe-line.js [FILES]`: what one recipe line costs, by turns with the system's shell and with ours, in a
 * project of so many files (default: 100,000): lines that our shell does itself, one that runs locally, and a compile
 * that is answered from the cache, also right after the local one, so that what that one changed is hashed in between.
 *
 * It starts itself once more, with `samples`, as a local command of a build by Termite: that way it has a master, and
 * both shells are started by the same small process, which passes for make.
 */
const sampleCount = 200;
const warmUpCount = 20;
const filesPerFolder = 100;

const lines = {
  colon: ':',
  echo: 'echo   CC       unit.o',
  local: 'mv -f stamp stamp.new',
  compile: 'cc -O2 -c -o unit.o unit.c',
} as const;

type Samples = Record<`${keyof typeof lines}.${'dash' | 'termite'}` | 'compileAfterLocal.termite', number[]>;

function takeSamples(): Samples {
  // Lines that need no shell are executed without one for make only.
  process.title = 'make';
  const termiteShell = join(repositoryDir, 'native', 'build', 'libexec', 'sh');
  const time = (shell: string, line: string): number => {
    const started = performance.now();
    const { status } = spawnSync(shell, ['-c', line], { stdio: 'ignore' });
    if (status !== 0) throw new Error(`${shell} ended with ${status}: ${line}`);
    return performance.now() - started;
  };
  const samples: Samples = {
    ...{ 'colon.dash': [], 'colon.termite': [], 'echo.dash': [], 'echo.termite': [], 'local.dash': [] },
    ...{ 'local.termite': [], 'compile.dash': [], 'compile.termite': [], 'compileAfterLocal.termite': [] },
  };
  const take = (name: keyof Samples, shell: string, line: string) => {
    const ms = time(shell, line);
    if (round >= warmUpCount) samples[name].push(ms);
  };
  let round = 0;
  for (; round < warmUpCount + sampleCount; round++) {
    for (const name of ['colon', 'echo'] as const) {
      take(`${name}.dash`, '/bin/sh', lines[name]);
      take(`${name}.termite`, termiteShell, lines[name]);
    }
    time('/bin/sh', 'echo >stamp');
    take('local.dash', '/bin/sh', lines.local);
    take('compile.dash', '/bin/sh', lines.compile);
    // The outputs that it finds in its way are not those that it was asked to make: the first hit puts them right.
    time(termiteShell, lines.compile);
    take('compile.termite', termiteShell, lines.compile);
    time('/bin/sh', 'echo >stamp');
    time(termiteShell, lines.compile);
    take('local.termite', termiteShell, lines.local);
    take('compileAfterLocal.termite', termiteShell, lines.compile);
  }
  return samples;
}

async function makeProject(dir: string, fileCount: number): Promise<void> {
  for (let folder = 0; folder * filesPerFolder < fileCount; folder++) {
    const path = join(dir, 'files', `${folder}`);
    await mkdir(path, { recursive: true });
    const count = Math.min(filesPerFolder, fileCount - folder * filesPerFolder);
    await Promise.all(
      Array.from({ length: count }, (_, file) => writeFile(join(path, `${file}.txt`), `${folder}/${file}\n`)),
    );
  }
  await writeFile(
    join(dir, 'unit.c'),
    '#include <stdio.h>\n\nint main(void)\n{\n\treturn puts("unit") < 0;\n}\n',
  );
}

async function main(fileCount: number): Promise<void> {
  const projectDir = await mkdtemp(join(tmpdir(), 'termite-recipe-line-'));
  try {
    await makeProject(projectDir, fileCount);
    const thisProgram = fileURLToPath(import.meta.url);
    const samplesFile = join(projectDir, 'samples.json');
    await writeFile(
      join(projectDir, 'Makefile'),
      `all:\n\t'${process.execPath}' '${thisProgram}' samples '${samplesFile}'\n`,
    );
    const rule = { Regexp: 'recipe-line\\.js. samples', Local: true, Recurse: true };
    await writeFile(join(projectDir, '.termite-localrc'), JSON.stringify([rule]));
    await using builder = await Builder.create(projectDir, { makeArgs: ['-j1'] });
    const { report, output } = await builder.termite();
    if (
      report.fallbacks > 0 ||
      report.remote > 2 ||
      report.localByReason['trivial'] !== sampleCount + warmUpCount
    )
      throw new Error(
        `Commands ran elsewhere than expected: ${JSON.stringify(report)} ${output.slice(-500)}`,
      );
    printTable(JSON.parse(await readFile(samplesFile, 'utf8')) as Samples, fileCount);
  } finally {
    await rm(projectDir, { recursive: true, force: true });
  }
}

function printTable(samples: Samples, fileCount: number): void {
  const row = (name: keyof Samples, line: string) => {
    const { median, p95, n } = summarize(samples[name]);
    return [line, name.split('.')[1]!, median.toFixed(2), p95.toFixed(2), `${n}`];
  };
  const pair = (name: keyof typeof lines) => [
    row(`${name}.dash`, lines[name]),
    row(`${name}.termite`, lines[name]),
  ];
  const medianOf = (name: keyof Samples) => summarize(samples[name]).median;
  console.log(
    textTable([
      [`in a project of ${fileCount} files`, 'shell', 'median ms', 'p95 ms', 'n'],
      ...(['colon', 'echo', 'local', 'compile'] as const).flatMap(pair),
      row('compileAfterLocal.termite', `${lines.compile}, after mv`),
    ]),
  );
  const ratio = (name: 'colon' | 'echo') => medianOf(`${name}.termite`) / medianOf(`${name}.dash`);
  const rehashMs = medianOf('compileAfterLocal.termite') - medianOf('compile.termite');
  const localMs = medianOf('local.termite') + rehashMs - medianOf('local.dash');
  console.log(`: ${ratio('colon').toFixed(2)} and echo ${ratio('echo').toFixed(2)} times dash (bar: 1.2)`);
  console.log(
    `mv with rehash: dash ${localMs < 0 ? '-' : '+'} ${Math.abs(localMs).toFixed(2)} ms (bar: + 1)`,
  );
  console.log(`cached compile: ${medianOf('compile.termite').toFixed(2)} ms (bar: 4)`);
  console.log(JSON.stringify(describeEnvironment()));
}

if (process.argv[2] === 'samples') await writeFile(process.argv[3]!, JSON.stringify(takeSamples()));
else await main(Number(process.argv[2] ?? 100_000));
