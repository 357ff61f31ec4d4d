import { join } from 'node:path';
import { Dispatcher } from '../../master/dispatcher.ts';
import { LocalRules } from '../../master/local-rules.ts';
import { LocalSlots } from '../../master/local-slots.ts';
import { MasterServer } from '../../master/master-server.ts';
import { MasterService } from '../../master/master-service.ts';
import { Sessions } from '../../master/sessions.ts';
import { Watcher } from '../../master/watcher.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { type Behaviour, DispatcherRig } from './dispatcher-rig.ts';
import { fakeVerifier } from './fake-verifier.ts';

/** A master with a real socket, in front of executors and a project that are fakes. */
export async function masterServerRig(
  behaviour: Behaviour,
  { slotCount = 4, localSlotCount = 2, onClose = async () => {} } = {},
) {
  const dir = await tempDir();
  const fakes = new DispatcherRig();
  Object.defineProperty(fakes.workspace, 'projectRoot', { value: dir.path });
  fakes.addExecutor('fake', behaviour, { slotCount });
  const { workspace, pool, store, stdinRoutes } = fakes;
  const localSlots = new LocalSlots({ slotCount: localSlotCount, openWatch: () => Watcher.start() });
  const socketPath = join(dir.path, '.termite-socket');
  const rules = new LocalRules(dir.path);
  const counts = { idle: 0, stops: 0 };
  const sessions = new Sessions({
    clock: { nowMs: () => 0 },
    onIdle: () => {
      counts.idle += 1;
    },
    onClose,
  });
  const dispatcher = new Dispatcher({
    ...{
      workspace,
      pool,
      store,
      stdinRoutes,
      localSlots,
      rules,
      stateDir: '/state/termite',
      verifier: fakeVerifier(),
    },
    origin: { id: 'origin', url: '' },
    ownShell: '/opt/termite/sh',
  });
  const stop = () => (counts.stops += 1);
  const service = new MasterService({
    sessions,
    dispatcher,
    pool,
    rules,
    workspace,
    parking: undefined,
    isEnding: () => counts.stops > 0,
    stop,
    problem: undefined,
    cache: { answer: () => Promise.reject(new Error('No test asks the cache')) },
  });
  const server = new MasterServer(Promise.resolve(service));
  await server.open(socketPath);
  let isClosed = false;
  const close = async () => {
    if (!isClosed) await server[Symbol.asyncDispose]();
    isClosed = true;
  };
  return {
    ...{ dir, fakes, localSlots, socketPath, sessions, counts, service, server, close },
    [Symbol.asyncDispose]: async () => {
      await close();
      await localSlots[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}
