import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildLog, buildLogName, type CommandRecord } from '../protocol/build-log.ts';

/** Leaves the commands of a build for `termite log` and `termite why`. @throws a system error */
export function writeBuildLog(stateDir: string, commands: readonly CommandRecord[], endedMs: number): void {
  const log: BuildLog = { version: 1, endedMs, commands: [...commands] };
  const path = join(stateDir, buildLogName);
  writeFileSync(`${path}.new`, JSON.stringify(log), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
