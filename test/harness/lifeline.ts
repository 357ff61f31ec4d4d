import { Socket } from 'node:net';

/**
 * Ends this process, with its process group, when the runner that started it is gone, however it went: the runner holds the other
 * end of a socket on the descriptor TEST_LIFELINE_FD.
 */
const descriptor = process.env['TEST_LIFELINE_FD'];
// Of this process alone.
delete process.env['TEST_LIFELINE_FD'];
if (descriptor !== undefined) {
  const socket = new Socket({ fd: Number(descriptor), readable: true, writable: false });
  socket.on('close', () => process.kill(-process.pid, 'SIGKILL'));
  socket.on('error', () => {});
  socket.resume().unref();
}
