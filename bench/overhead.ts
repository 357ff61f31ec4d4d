import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { Builder, repositoryDir } from './builder.ts';
import { describeEnvironment } from './environment.ts';
import { summarize } from './statistics.ts';
import { textTable } from './text-table.ts';

/**
 * `node dist/bench/overhead.js`: what one command costs over running it plainly. Times `sh -c /bin/true` end to end, by
 * turns with the system's shell and with ours, beside a living master with its executor on the same machine.
 *
 * It starts itself once more, with `samples`, as a local command of a build by Termite: that way it has a master, and
 * both shells are started by the same small process.
 */
const sampleCount = 300;
const warmUpCount = 20;

interface Samples {
  plainMs: number[];
  termiteMs: number[];
}

function takeSamples(): Samples {
  const termiteShell = join(repositoryDir, 'native', 'build', 'libexec', 'sh');
  const time = (shell: string): number => {
    const started = performance.now();
    const { status } = spawnSync(shell, ['-c', '/bin/true'], { stdio: 'ignore' });
    if (status !== 0) throw new Error(`${shell} ended with ${status}`);
    return performance.now() - started;
  };
  const samples: Samples = { plainMs: [], termiteMs: [] };
  for (let i = 0; i < warmUpCount + sampleCount; i++) {
    const plainMs = time('/bin/sh');
    const termiteMs = time(termiteShell);
    if (i < warmUpCount) continue;
    samples.plainMs.push(plainMs);
    samples.termiteMs.push(termiteMs);
  }
  return samples;
}

async function main(): Promise<void> {
  const projectDir = await mkdtemp(join(tmpdir(), 'termite-overhead-'));
  try {
    const thisProgram = fileURLToPath(import.meta.url);
    const samplesFile = join(projectDir, 'samples.json');
    await writeFile(
      join(projectDir, 'Makefile'),
      `all:\n\t'${process.execPath}' '${thisProgram}' samples '${samplesFile}'\n`,
    );
    const rules = [
      { Regexp: 'overhead\\.js. samples', Local: true, Recurse: true },
      { Regexp: '', Cache: false },
    ];
    await writeFile(join(projectDir, '.termite-localrc'), JSON.stringify(rules));
    await using builder = await Builder.create(projectDir, { makeArgs: ['-j1'] });
    const { report, output } = await builder.termite();
    if (report.remote < sampleCount)
      throw new Error(`Only ${report.remote} commands ran remotely: ${output.slice(-500)}`);
    printTable(JSON.parse(await readFile(samplesFile, 'utf8')) as Samples);
  } finally {
    await rm(projectDir, { recursive: true, force: true });
  }
}

function printTable({ plainMs, termiteMs }: Samples): void {
  const row = (name: string, samples: number[]) => {
    const { median, p95, n } = summarize(samples);
    return [name, median.toFixed(2), p95.toFixed(2), `${n}`];
  };
  console.log(
    textTable([
      ['sh -c /bin/true', 'median ms', 'p95 ms', 'n'],
      row('system shell', plainMs),
      row('Termite', termiteMs),
    ]),
  );
  console.log(JSON.stringify(describeEnvironment()));
}

if (process.argv[2] === 'samples') await writeFile(process.argv[3]!, JSON.stringify(takeSamples()));
else await main();
