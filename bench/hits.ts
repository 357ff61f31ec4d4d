import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ciRun, ciSystems, terminals, type Variables } from '../test/fixtures/environments.ts';
import { Builder } from './builder.ts';
import { describeEnvironment } from './environment.ts';
import { type HitRate, hitRateRows, hitRates, percentOf } from './hit-rates.ts';
import { runCommand } from './run-command.ts';
import { textTable } from './text-table.ts';

const usage = `Usage: node dist/bench/hits.js [OPTIONS] DIR [MAKE_ARGS...]

Builds the configured project in DIR by Termite, cleans, builds it again, and tells how many commands of each kind were answered
from the cache: compiles, archives, links, others. What is kept beside make anyway does not count.

  --build CMD       what builds, after the word termite (default: make)
  --jobs N          -jN (default: number of CPUs)
  --clean COMMAND   what removes everything that a build makes, run by sh in DIR (default: make clean)
  --environments    builds it again in the environments of other terminals, editors, and two runs of CI systems
  --bar PERCENT     fail when a repeated build has fewer hits than that
  --json FILE       write the figures as JSON`;

/** One repeated build. */
interface Repetition {
  /** Where it is repeated. */
  name: string;
  rates: Record<string, HitRate>;
}

/** The builds to do, in order: those whose hits are not asked for fill the cache. */
function plan(withEnvironments: boolean): { name: string; variables?: Variables; isMeasured: boolean }[] {
  if (!withEnvironments) {
    return [
      { name: 'first', isMeasured: false },
      { name: 'again', isMeasured: true },
    ];
  }
  const [first = ['', {}], ...others] = Object.entries(terminals);
  return [
    { name: first[0], variables: first[1], isMeasured: false },
    ...others.map(([name, variables]) => ({ name, variables, isMeasured: true })),
    ...Object.entries(ciSystems).flatMap(([name, system]) => [
      { name: `${name}, first run`, variables: ciRun(system, 1), isMeasured: false },
      { name: `${name}, second run`, variables: ciRun(system, 2), isMeasured: true },
    ]),
  ];
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      build: { type: 'string', default: 'make' },
      jobs: { type: 'string', default: `${availableParallelism()}` },
      clean: { type: 'string', default: 'make clean' },
      environments: { type: 'boolean', default: false },
      bar: { type: 'string' },
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
  await using builder = await Builder.create(dir, {
    build: values.build.split(' '),
    makeArgs: [`-j${values.jobs}`, ...more],
  });
  const repetitions: Repetition[] = [];
  const problems: string[] = [];
  for (const { name, variables, isMeasured } of plan(values.environments)) {
    await runCommand(['/bin/sh', '-c', values.clean], { cwd: dir });
    await builder.termite(variables);
    const rates = hitRates(await builder.log());
    const all = rates['all'] ?? { hits: 0, misses: 0, reasons: {} };
    console.error(`${name}: ${all.hits} hits, ${all.misses} misses`);
    if (!isMeasured) continue;
    repetitions.push({ name, rates });
    if (values.bar !== undefined && !(all.hits * 100 >= Number(values.bar) * (all.hits + all.misses)))
      problems.push(`${name}: ${percentOf(all)} % hits, not ${values.bar}`);
  }
  for (const { name, rates } of repetitions) {
    console.log(`\n${basename(dir)}, ${name}`);
    console.log(textTable(hitRateRows(rates)));
    for (const [reason, count] of Object.entries(rates['all']?.reasons ?? {}))
      console.log(`  ${count} ${reason}`);
  }
  const environment = describeEnvironment();
  console.log(JSON.stringify(environment));
  if (values.json !== undefined) {
    const result = { scenario: `hits.${basename(dir)}.warm`, repetitions, problems, environment };
    await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  for (const problem of problems) console.error(problem);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`hits benchmark: ${error instanceof Error ? error.message : error}`);
  return 1;
});
