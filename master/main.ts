import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { FileBlobStore } from '../cas/file-blob-store.ts';
import { StatCache } from '../cas/stat-cache.ts';
import { StoreLimit } from '../cas/store-limit.ts';
import { startExecutor } from '../executor/start-executor.ts';
import type { CommandRecord } from '../protocol/build-log.ts';
import { AppError, describeError, explainError } from '../runtime/app-error.ts';
import { encodeBytes, fsPath } from '../runtime/byte-path.ts';
import {
  accountHome,
  cacheDir,
  explainCacheError,
  makePrivateDir,
  projectStateDir,
} from '../runtime/cache-dir.ts';
import { cacheSizeBytes } from '../runtime/cache-size.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseFlags } from '../runtime/flags.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { exactEnvironment } from '../runtime/process-bytes.ts';
import { printLines, say as sayAs } from '../runtime/say.ts';
import { Scope } from '../runtime/scope.ts';
import { Token } from '../runtime/token.ts';
import { CacheService } from './cache-service.ts';
import { coordinatorUrl, type MasterConfig, masterConfigSchema } from './config.ts';
import { DeviationArchive } from './deviation-archive.ts';
import { dismissOthers } from './dismiss-others.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Door } from './door.ts';
import { Ending } from './ending.ts';
import { ExecutorPool } from './executor-pool.ts';
import { hashingProgress } from './hashing-progress.ts';
import { IdleWatch } from './idle-watch.ts';
import { LocalRules } from './local-rules.ts';
import { LocalSlots } from './local-slots.ts';
import { MasterServer } from './master-server.ts';
import { MasterService } from './master-service.ts';
import { openParking } from './open-parking.ts';
import { openResultCache } from './open-result-cache.ts';
import { openWhenFree } from './open-when-free.ts';
import { openWorkspace } from './open-workspace.ts';
import { listenForOrigin } from './origin-server.ts';
import { resultsName } from './other-results.ts';
import type { Parking } from './parking.ts';
import { resolveRoot } from './resolve-root.ts';
import { Sessions } from './sessions.ts';
import { removeOtherSockets, rootFilePath, servingSocketPath, socketName } from './socket-path.ts';
import { StdinRoutes } from './stdin-routes.ts';
import { Verifier } from './verifier.ts';
import { Watcher } from './watcher.ts';
import { writeBuildLog } from './write-build-log.ts';

/** For the master that was here before. */
const lockPatienceMs = 15_000;
const packageRoot = resolve(import.meta.dirname, '../..');

/**
 * `termite master`: keeps a project's files in mind, and has the commands of its builds run. Says "ready" on stdout once
 * builds can begin, and before that how far it is when it takes long. Runs until signalled or stopped, or until idle when asked to; when signalled, dies of that signal.
 *
 * @param argv the flags
 * @throws AppError for flags that make no sense, and for whatever keeps it from starting
 */
export async function masterMain(argv: readonly string[]): Promise<void> {
  const flags = parseFlags(argv, {
    command: 'termite master',
    summary: "Has the commands of a project's builds run by executors, and brings their results back",
    schema: masterConfigSchema,
  });
  if (flags.kind === 'help') {
    process.stdout.write(flags.text);
    return;
  }
  // Whoever has started us may be gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const ending = new Ending();
  const scope = new Scope();
  try {
    await Promise.race([start(flags.values, scope, ending), ending.requested]);
    await ending.requested;
  } catch (error) {
    // Another one was quicker, which is as good for the build that has started us.
    const isNeedless = flags.values.untilIdle && error instanceof AppError && error.code === 'master-running';
    if (!isNeedless) {
      if (flags.values.untilIdle) tellStarter(error);
      throw error;
    }
  } finally {
    await scope.close();
  }
  ending.end();
}

/** On stdout as well: the log, where stderr goes, may lie on a disk that is full. */
function tellStarter(error: unknown): void {
  printLines([`failed: ${JSON.stringify(explainError(error).slice(0, 2000))}`]);
}

async function start(config: MasterConfig, scope: Scope, ending: Ending): Promise<void> {
  const root = resolveRoot(config.root ?? '.');
  if (root === '/')
    throw new AppError('"/" is no project but the whole machine', {
      ...{ code: 'bad-root', category: 'caller', hint: 'Name the folder of the project: --root DIR' },
    });
  let resolveService: (service: MasterService) => void = () => {};
  let rejectService: (error: unknown) => void = () => {};
  const service = new Promise<MasterService>((resolve, reject) => {
    resolveService = resolve;
    rejectService = reject;
  });
  // Claimed before the work begins, so that nobody else begins it as well.
  const server = new MasterServer(service);
  try {
    const stateDir = openStateDir(root);
    const openFrontDoor = () => openDoors(server, { root, stateDir, config });
    const frontDoor = await openFrontDoor();
    resolveService(await build(root, config, { scope, ending, server, stateDir, frontDoor, openFrontDoor }));
  } catch (cause) {
    const error = explainCacheError(cause, exactEnvironment(process.env));
    rejectService(error);
    await server[Symbol.asyncDispose]();
    throw error;
  }
  // Closed before all that it makes use of.
  scope.use(server);
  printLines([`ready: ${root}`]);
}

interface Premises {
  scope: Scope;
  ending: Ending;
  server: MasterServer;
  stateDir: string;
  frontDoor: Door;
  openFrontDoor: () => Promise<Door>;
}

/** Of a project whose root can be told from it. @throws a system error */
function openStateDir(root: string): string {
  const stateDir = projectStateDir(exactEnvironment(process.env), root);
  makePrivateDir(stateDir);
  // As a whole or not at all: whoever finds a socket beside it reads it.
  const temporary = `${rootFilePath(stateDir)}.${process.pid}`;
  writeFileSync(fsPath(temporary), encodeBytes(root), { mode: 0o600 });
  renameSync(fsPath(temporary), fsPath(rootFilePath(stateDir)));
  return stateDir;
}

/** All at which the project's builds and shells find its master. */
async function openDoors(
  server: MasterServer,
  { root, stateDir, config }: { root: string; stateDir: string; config: MasterConfig },
): Promise<Door> {
  const doors = [await server.open(servingSocketPath(stateDir, root), root)];
  try {
    if (config.socketInProject) doors.push(await server.open(join(root, socketName), root));
  } catch (error) {
    for (const door of doors) door.close();
    throw error;
  }
  return {
    withdraw: () => {
      for (const door of doors) door.withdraw();
    },
    close: () => {
      for (const door of doors) door.close();
    },
  };
}

/** Opens and connects everything behind the socket. */
async function build(
  root: string,
  config: MasterConfig,
  { scope, ending, server, stateDir, frontDoor, openFrontDoor }: Premises,
): Promise<MasterService> {
  const env = exactEnvironment(process.env);
  const baseDir = cacheDir(env);
  const maxBytes = cacheSizeBytes(config.cacheSizeMib, env);
  let parking: Parking | undefined;
  const store = await FileBlobStore.open(join(baseDir, 'cas'));
  const limit = scope.use(new StoreLimit(store, { maxBytes, clock: systemClock, onNotice: say }));
  // Nobody waits for a master that ends with its build; the store only when all else is closed and the next can begin.
  const hasTime = () => config.untilIdle && ending.isUnhurried;
  scope.defer(() => (hasTime() ? limit.enforce() : undefined));
  const ownSocket = servingSocketPath(stateDir, root);
  // They have the databases.
  await dismissOthers(stateDir, ownSocket);
  const cache = scope.use(
    await openWhenFree(() => StatCache.open(join(stateDir, 'db'), { onNotice: say }), lockPatienceMs),
  );
  removeOtherSockets(stateDir, ownSocket);
  const stdinRoutes = new StdinRoutes();
  const watchProgram = join(packageRoot, 'native/build/termite-watch');
  const rules = new LocalRules(root);
  const workspace = scope.use(
    await openWorkspace({
      ...{ projectRoot: root, stateDir, store, cache, hidden: [baseDir], onNotice: say },
      watchProgram,
      homes: [env['HOME'], accountHome()].filter((home) => home !== undefined),
      privatePlaces: () => rules.privatePlaces,
      readStdin: (jobId, maxBytes, signal) => stdinRoutes.read(jobId, maxBytes, signal),
      onProgress: hashingProgress(systemClock, (message) => {
        printLines([message]);
        parking?.tell(message);
      }),
    }),
  );

  const pool = new ExecutorPool(systemClock);
  const url = config.coordinator ?? coordinatorUrl(env);
  const slotCount = config.slots ?? (url ? 0 : availableParallelism());
  let problem: string | undefined;
  if (slotCount > 0) {
    const name = hostname().replace(/[^\w.-]/g, '_');
    const workParent = join(baseDir, 'executor');
    try {
      const { executor } = scope.use(
        await startExecutor({ name, store, slotCount, workParent, openOrigin: () => workspace.origin }),
      );
      pool.add({ name, slotCount, executor, content: store });
    } catch (error) {
      // The build can go on without: on other executors, or where make is.
      problem = `no commands can be run in sandboxes here: ${explainError(error)}`;
      say(problem);
    }
  }
  let originUrl = '';
  if (url) {
    const token = Token.open(baseDir);
    const originServer = scope.use(
      await listenForOrigin(workspace.origin, token, parseListenAddress(config.listen)),
    );
    originUrl = originServer.url;
    // Loaded only here: the HTTP client takes longer than all the rest.
    const { joinCoordinator } = await import('./join-coordinator.ts');
    scope.use(await joinCoordinator(url, { token, pool, report: say }));
  }

  const results = await openResultCache({
    ...{ dir: join(stateDir, resultsName), workspace, store, scope, onNotice: say },
    distortion: env['TERMITE_TEST_DISTORT'],
  });
  // make reads its makefiles meanwhile.
  results?.prepare();
  const cacheService = scope.use(new CacheService({ store, results, limit, stateDir, onNotice: say }));
  scope.defer(() => (hasTime() ? cacheService.tidyResults() : undefined));
  const sessions = new Sessions({
    clock: systemClock,
    onIdle: (last) => {
      void workspace.settle();
      return idleWatch ? idleWatch.check(last) : void cacheService.tidy();
    },
    onClose: async (session) => {
      const { records, compileCommands } = session;
      await results?.idle();
      if (records.some(hasDone)) tryTo(() => writeBuildLog(stateDir, records, systemClock.nowMs()), say);
      if (compileCommands)
        tryTo(
          () => compileCommands.write(),
          (message) => session.notice('compile-commands', message),
        );
    },
  });
  const verifier = new Verifier({
    ...{ results, inputs: workspace.inputs, random: Math.random },
    archive: new DeviationArchive(join(stateDir, 'mismatches'), store),
  });
  const localSlots = scope.use(
    new LocalSlots({ slotCount: availableParallelism(), openWatch: () => Watcher.start(watchProgram) }),
  );
  const dispatcher = new Dispatcher({
    ...{ workspace, pool, rules, store, results, verifier, stdinRoutes, localSlots, stateDir: baseDir },
    origin: { id: `m-${randomBytes(6).toString('hex')}`, url: originUrl },
    ownShell: join(packageRoot, 'native/build/libexec/sh'),
  });
  const stop = () => {
    server.withdraw();
    ending.request({ kind: 'stop' });
  };
  const isEnding = () => ending.isRequested;
  const isIdle = () => sessions.isIdle;
  // What keeps jobs from running here may have been put right by the next build.
  if (problem === undefined) {
    parking = openParking({
      ...{ config, env, root, stateDir, storeDir: store.dir, server, frontDoor, openFrontDoor },
      ...{ isIdle, end: stop, onNotice: say },
      recheck: () => workspace.recheck(),
      tidy: () => cacheService.tidy(),
    });
    if (parking) scope.use(parking);
  }
  const idleWatch = config.untilIdle ? scope.use(new IdleWatch({ isIdle, end: stop, parking })) : undefined;
  return new MasterService({
    ...{ sessions, dispatcher, pool, rules, workspace, parking, stop, isEnding, problem },
    cache: cacheService,
  });
}

/** A build that finds everything done only starts makes: then one wants to know about the build before it. */
function hasDone({ where, reason }: CommandRecord): boolean {
  return where !== 'local' || reason !== 'recursive';
}

/** For what no build may fail of. */
function tryTo(action: () => void, tell: (message: string) => void): void {
  try {
    action();
  } catch (error) {
    tell(describeError(error));
  }
}

function say(message: string): void {
  sayAs(message, { program: 'termite master' });
}
