import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { CommandRecord } from '../protocol/build-log.ts';
import type { Report } from '../protocol/control.ts';
import { Builder } from './builder.ts';
import { Ccache } from './ccache.ts';
import { describeEnvironment } from './environment.ts';
import { differences, readTree } from './file-tree.ts';
import { hitRateRows, hitRates } from './hit-rates.ts';
import { runCommand } from './run-command.ts';
import { summarize } from './statistics.ts';
import { textTable } from './text-table.ts';

const usage = `Usage: node dist/bench/repeat.js [OPTIONS] DIR [-- MAKE_ARGS...]

Builds the configured project in DIR again and again after "make clean": with plain make, with ccache whose cache is
filled, and with Termite whose cache is filled, by turns. All that Termite makes is compared with plain make's.

  --jobs N          -jN for all (default: number of CPUs)
  --rounds N        builds of each kind that are measured (default: 5)
  --clean COMMAND   what removes everything that a build makes, run by sh in DIR (default: make clean)
  --bar-plain N     fail unless Termite is N times as fast as plain make, by medians
  --bar-ccache N    fail unless Termite is N times as fast as ccache
  --json FILE       write the figures as JSON`;

/** Milliseconds of each round, by what built. */
interface Times {
  plain: number[];
  ccache: number[];
  termite: number[];
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      jobs: { type: 'string', default: `${availableParallelism()}` },
      rounds: { type: 'string', default: '5' },
      clean: { type: 'string', default: 'make clean' },
      'bar-plain': { type: 'string' },
      'bar-ccache': { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [given, ...more] = positionals;
  if (values.help || given === undefined) {
    console.log(usage);
    return values.help ? 0 : 1;
  }
  const dir = resolve(given);
  const makeArgs = [`-j${values.jobs}`, ...more];
  const clean = () => runCommand(['/bin/sh', '-c', values.clean], { cwd: dir });

  await using builder = await Builder.create(dir, { makeArgs });
  await using ccache = await Ccache.create(dir, makeArgs);
  console.error('filling both caches');
  await clean();
  await ccache.make();
  await clean();
  await builder.termite();

  const times: Times = { plain: [], ccache: [], termite: [] };
  const reports: Report[] = [];
  const problems: string[] = [];
  let commands: CommandRecord[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    await clean();
    times.plain.push((await builder.plain()).wallMs);
    const expected = await readTree(dir);
    await clean();
    times.ccache.push((await ccache.make()).wallMs);
    await clean();
    const { wallMs, report } = await builder.termite();
    times.termite.push(wallMs);
    reports.push(report);
    commands = await builder.log();
    const differing = differences(expected, await readTree(dir));
    problems.push(...differing.map((difference) => `round ${round} differs: ${difference}`));
    if (report.fallbacks > 0) problems.push(`round ${round}: ${report.fallbacks} fallbacks`);
    if (report.cached === 0) problems.push(`round ${round}: nothing came from the cache`);
    const latest = Object.entries(times).map(([what, all]) => `${what} ${Math.round(all.at(-1)!)} ms`);
    console.error(`round ${round}: ${latest.join(', ')}`);
  }

  const plain = summarize(times.plain);
  const cached = summarize(times.ccache);
  const termite = summarize(times.termite);
  const faster = { plain: plain.median / termite.median, ccache: cached.median / termite.median };
  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);
  console.log(
    textTable([
      ['', 'median s', 'p95 s', 'n', 'Termite is faster'],
      ['plain make', seconds(plain.median), seconds(plain.p95), `${plain.n}`, faster.plain.toFixed(1)],
      ['ccache, warm', seconds(cached.median), seconds(cached.p95), `${cached.n}`, faster.ccache.toFixed(1)],
      ['termite, warm', seconds(termite.median), seconds(termite.p95), `${termite.n}`, ''],
    ]),
  );
  const hits = commands.filter(({ where }) => where === 'cache').map(({ wallMs }) => wallMs);
  const perHit = percentiles(hits);
  console.log(`one hit in the master, ms: ${JSON.stringify(perHit)}, n = ${hits.length}`);
  const { commands: count, cached: fromCache, remote, local } = reports.at(-1)!;
  const rates = hitRates(commands);
  console.log(textTable(hitRateRows(rates)));
  console.log(`last build: ${count} commands, ${fromCache} from cache, ${remote} remote, ${local} local`);
  for (const against of ['plain', 'ccache'] as const) {
    const bar = values[`bar-${against}`];
    if (bar !== undefined && !(faster[against] >= Number(bar)))
      problems.push(`${faster[against].toFixed(1)} times as fast as ${against}, not ${bar}`);
  }
  const environment = describeEnvironment();
  console.log(JSON.stringify(environment));
  if (values.json !== undefined) {
    const scenario = `repeat.${basename(dir)}.warm`;
    const result = { scenario, makeArgs, times, faster, perHit, rates, reports, problems, environment };
    await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  for (const problem of problems.slice(0, 50)) console.error(problem);
  console.log(problems.length === 0 ? 'No differences, no fallbacks.' : `${problems.length} problems`);
  return problems.length === 0 ? 0 : 1;
}

/** By nearest rank. */
function percentiles(samples: readonly number[]): Record<string, number> {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (percent: number) => sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0;
  return { p50: at(50), p90: at(90), p95: at(95), p99: at(99), max: at(100) };
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`repeat benchmark: ${error instanceof Error ? error.message : error}`);
  return 1;
});
