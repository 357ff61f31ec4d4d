import { AppError } from '../runtime/app-error.ts';
import { MasterClient } from './master-client.ts';
import { otherSockets, parkedSocketPath } from './socket-path.ts';

/**
 * Ends the masters that have a project's databases for nothing: the one that waits for the next build, and those that find
 * another folder in the place of their root. Resolves when they serve nobody any more.
 *
 * @param stateDir of the project
 * @param servingSocket our own
 */
export async function dismissOthers(stateDir: string, servingSocket: string): Promise<void> {
  await untilGone(parkedSocketPath(stateDir), async (client) => {
    await client.ask('stop');
    await client.closed;
  });
  // Only one that still can opens a session: it may serve what is at our path in another mount namespace.
  for (const socket of otherSockets(stateDir, servingSocket))
    await untilGone(socket, (client) => client.ask('open-session'));
}

/** Talks to the master at a socket, if there is one, which may end meanwhile. */
async function untilGone(
  socketPath: string,
  talk: (client: MasterClient) => Promise<unknown>,
): Promise<void> {
  using client = await MasterClient.connect(socketPath);
  if (!client) return;
  try {
    await talk(client);
  } catch (error) {
    const isGone = error instanceof AppError && error.code === 'master-gone';
    if (!isGone) throw error;
    await client.closed;
  }
}
