import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Builder } from './builder.ts';
import { describeEnvironment } from './environment.ts';
import { differences, readTree } from './file-tree.ts';
import { runCommand } from './run-command.ts';

/**
 * `node dist/bench/configure.js DIR [ARGS…]`: runs `./configure` plainly and with `termite run`, each after `make
 * distclean`, and compares everything that the two left but config.log, which tells times and places. Exit status 1 on any
 * difference.
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
  const differing = differences(plainTree, await readTree(cwd)).filter(
    (line) => !/^(.*\/)?config\.log: /.test(line),
  );

  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1);
  console.log(`plain ${seconds(plain.wallMs)} s, termite run ${seconds(termite.wallMs)} s`);
  console.log(JSON.stringify(describeEnvironment()));
  for (const line of differing) console.error(`differs: ${line}`);
  console.log(differing.length === 0 ? 'No differences.' : `${differing.length} differences`);
  return differing.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`configure benchmark: ${error instanceof Error ? error.message : error}`);
  return 1;
});
