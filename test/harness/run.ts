import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { places } from '../rigs/places.ts';
import { removeLeftovers } from './leftovers.ts';
import { readableCheckout } from './readable-copy.ts';
import { type FileResult, runTestFile } from './run-test-file.ts';
import { measureSlowness } from './slowness.ts';

/**
 * Runs test files: `run.js [--root DIR] [--jobs N] [SUBSTRING…]`. Each is a process of its own, two at a time. The last
 * line counts tests: `N passed, N failed`, with `, N skipped` where there were any. Exit status 1 when anything failed, or when
 * nothing matched.
 *
 * With TEST_TRIES=N, for machines that crash processes at random, a file that failed is run again when all others are done, up to N
 * times in all. Its last run counts; that it failed before is said at the end as well.
 */
const packageRoot = resolve(import.meta.dirname, '../../..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    root: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
});

// Of runs that were killed.
const testPlaces = [tmpdir(), ...places, join(packageRoot, 'dist/test/wrapper')];
removeLeftovers(testPlaces);
process.env['TEST_RUNNER_PID'] = `${process.pid}`;
const own = { packageRoot, node: process.execPath };
process.env['TEST_SLOWNESS'] ??= measureSlowness().toFixed(2);
const checkout = values.root === undefined ? readableCheckout(own) : own;
const root = values.root ?? join(checkout.packageRoot, 'dist/test');
if (checkout !== own) console.log(`Only root can read this checkout: tests run in ${checkout.packageRoot}`);

const allFiles = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js') && hasSource(join(root, file)))
  .sort();
const files = allFiles.filter(
  (file) => positionals.length === 0 || positionals.some((part) => file.includes(part)),
);
const unmatched = positionals.filter((part) => !allFiles.some((file) => file.includes(part)));

const maxTries = Number(process.env['TEST_TRIES'] ?? 1);
const waiting = [...files];
const results: FileResult[] = [];
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => stopping.abort());
}

async function work(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined && !stopping.signal.aborted; file = waiting.shift()) {
    results.push(await run(file));
  }
}

async function run(file: string): Promise<FileResult> {
  const result = await runTestFile(join(root, file), { node: checkout.node, signal: stopping.signal });
  print(file, result);
  return result;
}

/** @returns what failed and then did not */
async function tryAgain(): Promise<string[]> {
  const unsteady: string[] = [];
  for (const [index, { file, failures }] of results.entries()) {
    for (let tries = 1; tries < maxTries && results[index]!.failures.length > 0; tries++) {
      if (stopping.signal.aborted) return unsteady;
      results[index] = await run(relative(root, file));
    }
    if (failures.length > 0 && results[index]!.failures.length === 0)
      unsteady.push(...failures.map((failure) => `${file}: ${failure}`));
  }
  return unsteady;
}

function print(file: string, { passed, failures, skips, slow, output, ms }: FileResult): void {
  if (failures.length > 0) console.log(`\n${output.trimEnd()}\n`);
  const counts = [
    `${passed} passed`,
    `${failures.length} failed`,
    ...(skips.length ? [`${skips.length} skipped`] : []),
  ];
  console.log(
    `${failures.length > 0 ? 'FAIL' : 'ok  '} ${file}: ${counts.join(', ')} (${(ms / 1000).toFixed(1)} s)`,
  );
  for (const skip of skips) console.log(`     skipped: ${skip}`);
  for (const test of slow) console.log(`     slow: ${test}`);
  for (const failure of failures) console.log(`     failed: ${failure}`);
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
const unsteady = await tryAgain();

const passed = sum((result) => result.passed);
const skipped = sum((result) => result.skips.length);
let failed = sum((result) => result.failures.length);
for (const part of unmatched) {
  console.log(`No test file matches "${part}"`);
  failed += 1;
}
if (allFiles.length === 0) {
  console.log(`No test file in ${root}`);
  failed += 1;
}
if (stopping.signal.aborted) {
  console.log('Interrupted');
  failed += 1;
}
if (unsteady.length > 0) {
  console.log('\nFailed at first, and not when run again:');
  for (const failure of unsteady) console.log(`  ${failure}`);
}
const failedFiles = results.filter((result) => result.failures.length > 0);
if (failedFiles.length > 0) {
  console.log('\nFailures:');
  for (const result of failedFiles)
    for (const failure of result.failures) console.log(`  ${result.file}: ${failure}`);
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
removeLeftovers(testPlaces, process.pid);
process.exit(failed > 0 ? 1 : 0);

function sum(count: (result: FileResult) => number): number {
  return results.reduce((total, result) => total + count(result), 0);
}

/** Compiled files outlive the source they were made from. */
function hasSource(file: string): boolean {
  if (!existsSync(`${file}.map`)) return true;
  const { sources } = JSON.parse(readFileSync(`${file}.map`, 'utf8'));
  return existsSync(join(dirname(file), sources[0]));
}
