import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Builder } from './builder.ts';
import { describeEnvironment } from './environment.ts';
import { differences, readTree } from './file-tree.ts';
import { runCommand } from './run-command.ts';

/**
 * `node dist/bench/configure.js DIR [ARGS…]`: runs `./configure` plainly, with `termite run`, and so again, each after
 * `make distclean`, and compares everything that they left but config.log, which tells times and places. Exit status 1 on any
 * difference, and when the last one was not answered from the cache.
 */
async function main([dir, ...args]: string[]): Promise<number> {
  if (dir === undefined) throw new Error('name the folder of a project with a configure script');
  const cwd = resolve(dir);
  // coreutils refuses to be configured by root unless told otherwise.
  const env = { ...process.env, FORCE_UNSAFE_CONFIGURE: '1' };
  await using builder = await Builder.create(cwd, { makeArgs: [] });
  const configure = ['./configure', ...args];
  const distclean = async () => {
    if (existsSync(join(cwd, 'Makefile'))) await runCommand(['make', 'distclean'], { cwd });
  };

  await distclean();
  const plain = await runCommand(configure, { cwd, env });
  const plainTree = await readTree(cwd);
  await distclean();
  const termite = await builder.run(configure, env);
  const differing = differences(plainTree, await readTree(cwd));
  await distclean();
  const again = await builder.run(configure, env);
  differing.push(...differences(plainTree, await readTree(cwd)));
  const [command] = await builder.log();
  if (command?.where !== 'cache') differing.push(`the second one was not from the cache: ${command?.where}`);
  const problems = differing.filter((line) => !/^(.*\/)?config\.log: /.test(line));

  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);
  console.log(
    `plain ${seconds(plain.wallMs)} s, termite run ${seconds(termite.wallMs)} s, again ${seconds(again.wallMs)} s`,
  );
  console.log(JSON.stringify(describeEnvironment()));
  for (const line of problems) console.error(`differs: ${line}`);
  console.log(problems.length === 0 ? 'No differences.' : `${problems.length} differences`);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`configure benchmark: ${error instanceof Error ? error.message : error}`);
  return 1;
});
