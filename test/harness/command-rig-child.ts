import { writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Order } from './command-rig.ts';

/** What a CommandRig starts: carries out orders that come through its socket, and ends when that does. */
const socket = connect(process.argv[2]!);
socket.on('error', () => process.exit(120));
socket.write(`${JSON.stringify({ pid: process.pid, cwd: process.cwd() })}\n`);

const lines = createInterface({ input: socket });
lines.on('close', () => process.exit(121));
lines.on('line', (line) => {
  const order: Order = JSON.parse(line);
  if (order.order === 'exit') process.exit(order.code);
  if (order.order === 'die') {
    process.kill(process.pid, order.signal);
    return;
  }
  if (order.order === 'print') writeSync(1, order.text);
  else if (order.order === 'print-error') writeSync(2, order.text);
  else writeFileSync(order.path, order.content);
  socket.write('done\n');
});
