import { cacheDir } from '../runtime/cache-dir.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseFlags } from '../runtime/flags.ts';
import { HttpServer } from '../runtime/http-server.ts';
import { parseListenAddress } from '../runtime/listen-address.ts';
import { exactEnvironment } from '../runtime/process-bytes.ts';
import { say } from '../runtime/say.ts';
import { Token } from '../runtime/token.ts';
import { untilSignalled } from '../runtime/until-signalled.ts';
import { coordinatorConfigSchema } from './config.ts';
import { coordinatorRoutes } from './coordinator-server.ts';
import { Registry } from './registry.ts';

/**
 * `termite coordinator`: tells masters which executors are alive. Runs until signalled, and dies of that signal.
 *
 * @param argv the flags
 * @throws AppError for flags that make no sense, and when it cannot listen
 */
export async function coordinatorMain(argv: readonly string[]): Promise<void> {
  const flags = parseFlags(argv, {
    command: 'termite coordinator',
    summary: 'Keeps the list of live executors for masters',
    schema: coordinatorConfigSchema,
  });
  if (flags.kind === 'help') {
    process.stdout.write(flags.text);
    return;
  }
  const server = await HttpServer.listen(
    coordinatorRoutes(new Registry(systemClock)),
    Token.open(cacheDir(exactEnvironment(process.env))),
    parseListenAddress(flags.values.listen),
  );
  say(`ready on ${server.url}`, { program: 'termite coordinator' });
  await untilSignalled(() => server.close());
}
