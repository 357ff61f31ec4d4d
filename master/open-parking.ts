import { statSync } from 'node:fs';
import { fsPath } from '../runtime/byte-path.ts';
import { circumstances, identityOf } from '../runtime/circumstances.ts';
import { idleMs, type MasterConfig } from './config.ts';
import type { MasterServer } from './master-server.ts';
import { Parking, type ParkingOptions } from './parking.ts';
import { parkedSocketPath } from './socket-path.ts';

export interface OpenParkingOptions
  extends Pick<
    ParkingOptions,
    'frontDoor' | 'openFrontDoor' | 'isIdle' | 'recheck' | 'tidy' | 'end' | 'onNotice'
  > {
  config: MasterConfig;
  env: NodeJS.ProcessEnv;
  root: string;
  stateDir: string;
  storeDir: string;
  server: MasterServer;
}

/**
 * The parking of a master that runs by now, as what and where it is now.
 *
 * @returns undefined when it is not to wait for builds
 * @throws AppError `bad-configuration`
 */
export function openParking(options: OpenParkingOptions): Parking | undefined {
  const { config, env, root, stateDir, storeDir, server, openFrontDoor, ...rest } = options;
  const patienceMs = idleMs(config, env);
  // Somebody else's builds there could neither ask us nor end us, and would wait for the databases in vain.
  const isOurs = statSync(fsPath(stateDir)).uid === process.geteuid?.();
  if (patienceMs === 0 || !isOurs) return undefined;
  const parkedAt = parkedSocketPath(stateDir);
  const ours = circumstances(env);
  const isUnmoved = rememberIdentities([root, stateDir, storeDir]);
  return new Parking({
    ...rest,
    patienceMs,
    suits: (theirs) => theirs === ours,
    // With nobody able to find it, it would only be in the way.
    isSound: () => isUnmoved() && identityOf(parkedAt) !== undefined,
    openFrontDoor,
    openSideDoor: () => server.open(parkedAt, root),
  });
}

/** @returns whether all these paths still name what they name now */
function rememberIdentities(paths: readonly string[]): () => boolean {
  const identities = paths.map(identityOf);
  return () => paths.every((path, index) => identityOf(path) === identities[index]);
}
