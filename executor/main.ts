import { availableParallelism, hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { FileBlobStore } from '../cas/file-blob-store.ts';
import { StoreLimit } from '../cas/store-limit.ts';
import { CoordinatorClient } from '../coordinator/coordinator-client.ts';
import type { ExecutorInfo } from '../protocol/executor-info.ts';
import { cacheDir } from '../runtime/cache-dir.ts';
import { cacheSizeBytes } from '../runtime/cache-size.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseFlags } from '../runtime/flags.ts';
import { HttpServer } from '../runtime/http-server.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { exactEnvironment } from '../runtime/process-bytes.ts';
import { say as sayAs } from '../runtime/say.ts';
import { Scope } from '../runtime/scope.ts';
import { Token } from '../runtime/token.ts';
import { untilSignalled } from '../runtime/until-signalled.ts';
import { type ExecutorConfig, executorConfigSchema } from './config.ts';
import { executorRoutes } from './executor-server.ts';
import { Heartbeat } from './heartbeat.ts';
import { OriginClient } from './origin-client.ts';
import { startExecutor } from './start-executor.ts';

/**
 * `termite executor`: runs jobs for masters. Runs until signalled: then leaves the coordinator's list, lets jobs finish
 * within a deadline, kills the rest, unmounts, and dies of that signal.
 *
 * @param argv the flags
 * @throws AppError for flags that make no sense, when it cannot listen, and when there can be no sandbox
 */
export async function executorMain(argv: readonly string[]): Promise<void> {
  const flags = parseFlags(argv, {
    command: 'termite executor',
    summary: 'Runs jobs of masters in sandboxes on this machine',
    schema: executorConfigSchema,
  });
  if (flags.kind === 'help') {
    process.stdout.write(flags.text);
    return;
  }
  const scope = new Scope();
  try {
    await start(flags.values, scope);
  } catch (error) {
    await scope.close();
    throw error;
  }
  await untilSignalled(() => scope.close());
}

async function start(config: ExecutorConfig, scope: Scope): Promise<void> {
  const { listen, slots: slotCount = availableParallelism(), hostId, deadlineMs } = config;
  const name = config.name ?? `${hostname().replace(/[^\w.-]/g, '_')}-${process.pid}`;
  const stateDir = cacheDir(exactEnvironment(process.env));
  const token = Token.open(stateDir);
  const storeDir = resolve(config.store ?? join(stateDir, 'cas'));
  const store = await FileBlobStore.open(storeDir);
  const maxBytes = cacheSizeBytes(config.cacheSizeMib, process.env);
  const limit = scope.use(new StoreLimit(store, { maxBytes, clock: systemClock, onNotice: say }));
  void limit.enforce();
  const { executor, slots } = scope.use(
    await startExecutor({
      ...{ name, store, slotCount, hostId },
      workParent: join(dirname(storeDir), 'executor'),
      openOrigin: ({ url }) => new OriginClient(url, token),
    }),
  );
  const info = (): ExecutorInfo => ({
    ...{ name, url: server.url, slots: slots.count, free: slots.freeCount, waiting: slots.waitingCount },
  });
  const server = await HttpServer.listen(
    executorRoutes({ executor, store, status: info }),
    token,
    parseListenAddress(listen),
  );
  scope.defer(() => server.close({ deadlineMs }));
  if (config.coordinator !== undefined) {
    const coordinator = scope.use(new CoordinatorClient(config.coordinator, token));
    scope.use(await Heartbeat.start({ coordinator, info, report: say }));
  }
  say(`ready on ${server.url} with ${slots.count} slots`);
}

function say(message: string): void {
  sayAs(message, { program: 'termite executor' });
}
