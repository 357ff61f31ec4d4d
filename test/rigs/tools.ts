import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { skip } from '../harness/suite.ts';

/** Programs of newer versions than Debian's, built by scripts/fetch-tools.sh. */
export type Tool = 'make-4.4' | 'ninja-1.13';

/** The folder in which a tool lies alone under its usual name, to be put first into PATH; skips where it was not fetched. */
export function toolDir(tool: Tool): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const dir = join(cache, 'termite-test-tools', tool);
  if (!existsSync(dir)) skip(`${dir} is missing: run scripts/fetch-tools.sh`, 'tools');
  return dir;
}

/** PATH with that tool before all others. */
export function pathWith(tool: Tool): string {
  return `${toolDir(tool)}:${process.env['PATH']}`;
}
