import { utimes, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Report } from '../protocol/control.ts';
import { Builder } from './builder.ts';
import { describeEnvironment } from './environment.ts';
import { differences, type FileTree, readTree, writtenFiles } from './file-tree.ts';
import { runCommand } from './run-command.ts';
import { summarize } from './statistics.ts';
import { textTable } from './text-table.ts';

const usage = `Usage: node dist/bench/project.js [OPTIONS] DIR [-- MAKE_ARGS...]

Builds the configured project in DIR with plain make and with termite make in turn, in the same folder, and compares
all that the two made. Then checks that a second build does nothing and that touching a source rebuilds its dependants.

  --build COMMAND   what builds instead of make, its words parted by blanks: e.g. "ninja -C build", "cmake --build build"
  --jobs N          -jN for both (default: number of CPUs)
  --rounds N        builds of each kind (default: 3)
  --clean COMMAND   what removes everything that a build makes, run by sh in DIR (default: make clean)
  --touch FILE      the source to touch (default: the first one that was compiled)
  --keep-state      Termite keeps its store from round to round (default: every round starts with nothing)
  --daemons         coordinator, executor and master are processes that share nothing but HTTP
  --may-differ RE   paths that plain make does not make the same twice either; repeatable
  --bar RATIO       fail when Termite's median is above RATIO times plain make's
  --json FILE       write the figures as JSON`;

interface Options {
  dir: string;
  build: string[];
  makeArgs: string[];
  daemonSlots: number | undefined;
  rounds: number;
  clean: string;
  touch: string | undefined;
  keepState: boolean;
  mayDiffer: RegExp[];
  bar: number | undefined;
}

interface Measurements {
  plainMs: number[];
  termiteMs: number[];
  reports: Report[];
  problems: string[];
}

/** Builds by turns, so that whatever else the machine does hits both; plain make goes first in every round. */
async function measure(builder: Builder, options: Options): Promise<Measurements> {
  const measurements: Measurements = { plainMs: [], termiteMs: [], reports: [], problems: [] };
  const clean = () => runCommand(['/bin/sh', '-c', options.clean], { cwd: options.dir });
  for (let round = 1; round <= options.rounds; round++) {
    await clean();
    const cleanTree = await readTree(options.dir);
    const plain = await builder.plain();
    const plainTree = await readTree(options.dir);
    const made = writtenFiles(cleanTree, plainTree);

    await clean();
    if (!options.keepState) await builder.forget();
    const termite = await builder.termite();
    const termiteTree = await readTree(options.dir);

    measurements.plainMs.push(plain.wallMs);
    measurements.termiteMs.push(termite.wallMs);
    measurements.reports.push(termite.report);
    const found = [
      ...differencesThatCount(plainTree, termiteTree, options).map((difference) => `differs: ${difference}`),
      ...(made.length === 0 ? ['plain make made nothing'] : []),
      ...reportProblems(termite.report),
    ];
    measurements.problems.push(...found.map((problem) => `round ${round}: ${problem}`));
    console.error(
      `round ${round}: plain ${seconds(plain.wallMs)} s, termite ${seconds(termite.wallMs)} s, ${made.length} files, ${found.length} problems`,
    );
  }
  return measurements;
}

function differencesThatCount(left: FileTree, right: FileTree, options: Options): string[] {
  return differences(left, right).filter((difference) => counts(difference.split(': ')[0]!, options));
}

function counts(path: string, { mayDiffer }: Options): boolean {
  return !mayDiffer.some((pattern) => pattern.test(path));
}

function reportProblems(report: Report): string[] {
  return [
    ...(report.remote === 0 && report.cached === 0 ? ['no command ran remotely'] : []),
    ...(report.fallbacks > 0
      ? [`${report.fallbacks} fallbacks: ${JSON.stringify(report.localByReason)}`]
      : []),
    ...(report.conflicts > 0 ? [`${report.conflicts} conflicts`] : []),
  ];
}

/** After a build by Termite: neither kind of make may find anything to do, and a touched source concerns both alike. */
async function checkIncremental(builder: Builder, options: Options): Promise<string[]> {
  const problems: string[] = [];
  const built = await readTree(options.dir);
  const expectUntouched = async (what: string, run: () => Promise<unknown>) => {
    await run();
    const written = writtenFiles(built, await readTree(options.dir)).filter((path) => counts(path, options));
    if (written.length > 0)
      problems.push(`${what} wrote ${written.length} files: ${written.slice(0, 5).join(' ')}`);
  };
  await expectUntouched('a second termite make', () => builder.termite());
  await expectUntouched('a plain make after it', () => builder.plain());

  const source = options.touch ?? firstCompiledSource(built);
  if (source === undefined) return [...problems, 'no compiled source was found: name one with --touch'];
  const rebuild = async (run: () => Promise<unknown>) => {
    await utimes(join(options.dir, source), new Date(), new Date());
    const touched = await readTree(options.dir);
    await run();
    return writtenFiles(touched, await readTree(options.dir)).filter((path) => counts(path, options));
  };
  const byPlain = await rebuild(() => builder.plain());
  const byTermite = await rebuild(() => builder.termite());
  if (byPlain.length === 0) problems.push(`touching ${source} rebuilds nothing`);
  if (byPlain.join('\n') !== byTermite.join('\n')) {
    problems.push(`after touching ${source} plain make wrote [${byPlain}], termite make [${byTermite}]`);
  }
  const changed = differencesThatCount(built, await readTree(options.dir), options);
  problems.push(...changed.map((difference) => `after touching ${source}: ${difference}`));
  console.error(`touching ${source} rebuilds ${byTermite.length} files`);
  return problems;
}

function firstCompiledSource(tree: FileTree): string | undefined {
  const objects = [...tree.keys()].filter((path) => path.endsWith('.o')).map((path) => path.slice(0, -2));
  const sources = objects.flatMap((stem) => ['.c', '.cc', '.cpp'].map((suffix) => stem + suffix));
  return sources.find((source) => tree.has(source));
}

function printTable(build: string, { plainMs, termiteMs, reports }: Measurements): void {
  const plain = summarize(plainMs);
  const termite = summarize(termiteMs);
  const { commands, remote, local } = reports.at(-1)!;
  console.log(
    textTable([
      ['', 'median s', 'p95 s', 'n', 'ratio', 'commands', 'remote', 'local'],
      [`plain ${build}`, seconds(plain.median), seconds(plain.p95), `${plain.n}`, '1.00', '', '', ''],
      [
        `termite ${build}`,
        seconds(termite.median),
        seconds(termite.p95),
        `${termite.n}`,
        (termite.median / plain.median).toFixed(2),
        ...[commands, remote, local].map(String),
      ],
    ]),
  );
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);

function wholeNumber(text: string, flag: string): number {
  if (!/^[1-9]\d*$/.test(text))
    throw new Error(`--${flag} must be a whole number of at least 1, not "${text}"`);
  return Number(text);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      build: { type: 'string', default: 'make' },
      jobs: { type: 'string', default: `${availableParallelism()}` },
      rounds: { type: 'string', default: '3' },
      clean: { type: 'string', default: 'make clean' },
      touch: { type: 'string' },
      'keep-state': { type: 'boolean', default: false },
      daemons: { type: 'boolean', default: false },
      'may-differ': { type: 'string', multiple: true, default: [] },
      bar: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [dir, ...makeArgs] = positionals;
  if (values.help || dir === undefined) {
    console.log(usage);
    return values.help ? 0 : 1;
  }
  const jobs = wholeNumber(values.jobs, 'jobs');
  const options: Options = {
    dir: resolve(dir),
    build: values.build.split(' '),
    makeArgs: [`-j${jobs}`, ...makeArgs],
    daemonSlots: values.daemons ? jobs : undefined,
    rounds: wholeNumber(values.rounds, 'rounds'),
    clean: values.clean,
    touch: values.touch,
    keepState: values['keep-state'],
    mayDiffer: values['may-differ'].map((source) => new RegExp(source)),
    bar: values.bar === undefined ? undefined : Number(values.bar),
  };

  await using builder = await Builder.create(options.dir, options);
  const measurements = await measure(builder, options);
  const problems = [...measurements.problems, ...(await checkIncremental(builder, options))];
  printTable(options.build.join(' '), measurements);
  const ratio = summarize(measurements.termiteMs).median / summarize(measurements.plainMs).median;
  if (options.bar !== undefined && !(ratio <= options.bar))
    problems.push(`the ratio ${ratio.toFixed(2)} is above ${options.bar}`);
  const result = {
    scenario: `project${values.daemons ? '-daemons' : ''}.${basename(options.dir)}.${options.keepState ? 'warm' : 'cold'}`,
    build: options.build,
    makeArgs: options.makeArgs,
    plain: summarize(measurements.plainMs),
    termite: summarize(measurements.termiteMs),
    ratio,
    ...measurements,
    problems,
    environment: describeEnvironment(),
  };
  console.log(JSON.stringify(result.environment));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
  for (const problem of problems.slice(0, 50)) console.error(problem);
  console.log(
    problems.length === 0 ? 'No differences, no fallbacks, no conflicts.' : `${problems.length} problems`,
  );
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`project benchmark: ${error instanceof Error ? error.message : error}`);
  return 1;
});
