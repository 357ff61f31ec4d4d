import { AppError } from '../runtime/app-error.ts';
import { MasterClient } from './master-client.ts';

/** Ends a master that waits for the next build there, if there is one, and resolves when it serves nobody any more. */
export async function dismissParked(socketPath: string): Promise<void> {
  using client = await MasterClient.connect(socketPath);
  if (!client) return;
  try {
    await client.ask('stop');
  } catch (error) {
    const isGone = error instanceof AppError && error.code === 'master-gone';
    if (!isGone) throw error;
  }
  await client.closed;
}
