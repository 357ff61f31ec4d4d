import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { Scope } from '../../runtime/scope.ts';
import { tempDir } from './temp-dir.ts';

/** One run of the rig's command, waiting for orders. Each order resolves when it has been carried out. */
export interface CommandRun {
  readonly pid: number;
  readonly cwd: string;
  /** Writes to the command's stdout. */
  print(text: string): Promise<void>;
  /** Writes to its stderr. */
  printError(text: string): Promise<void>;
  writeFile(path: string, content: string): Promise<void>;
  exit(code: number): Promise<void>;
  /** Kills itself by a signal, SIGKILL unless told. */
  die(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when the process is gone, for whatever reason. */
  readonly gone: Promise<void>;
}

export interface CommandRig extends AsyncDisposable {
  readonly argv: readonly string[];
  /** The same as a line for a shell. */
  readonly commandLine: string;
  /** The next run that was started and not yet taken. */
  nextRun(): Promise<CommandRun>;
}

/**
 * A real command that does nothing until the test says what, however and wherever it is started on this machine:
 *
 *     await using command = await commandRig();
 *     const result = spawnSomehow(command.argv);
 *     const run = await command.nextRun();
 *     await run.print('hello');
 *     await run.exit(3);
 */
export async function commandRig(): Promise<CommandRig> {
  const scope = new Scope();
  const dir = scope.use(await tempDir());
  const arrived: CommandRun[] = [];
  const wanted: ((run: CommandRun) => void)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void greet(socket).then((run) => {
      const waiting = wanted.shift();
      if (waiting) waiting(run);
      else arrived.push(run);
    });
  });
  const socketPath = dir.join('orders');
  server.listen(socketPath);
  await once(server, 'listening');
  scope.defer(() => {
    // A command without its test ends.
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  const argv = [process.execPath, join(import.meta.dirname, 'command-rig-child.js'), socketPath];
  return {
    argv,
    commandLine: argv.map((word) => `'${word}'`).join(' '),
    nextRun: () => {
      const run = arrived.shift();
      return run ? Promise.resolve(run) : new Promise((resolve) => wanted.push(resolve));
    },
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

export type Order =
  | { order: 'print'; text: string }
  | { order: 'print-error'; text: string }
  | { order: 'write-file'; path: string; content: string }
  | { order: 'exit'; code: number }
  | { order: 'die'; signal: NodeJS.Signals };

async function greet(socket: Socket): Promise<CommandRun> {
  socket.on('error', () => {});
  const gone = once(socket, 'close').then(() => {});
  const lines = createInterface({ input: socket });
  const { pid, cwd } = JSON.parse(await nextLine(lines));
  const give = async (order: Order) => {
    const done = nextLine(lines);
    socket.write(`${JSON.stringify(order)}\n`);
    const answer = await Promise.race([done, gone]);
    if (answer !== 'done')
      throw new Error(`Command rig: "${order.order}" was answered by ${answer ?? 'its end'}`);
  };
  const giveLast = async (order: Order) => {
    socket.write(`${JSON.stringify(order)}\n`);
    await gone;
  };
  return {
    pid,
    cwd,
    gone,
    print: (text) => give({ order: 'print', text }),
    printError: (text) => give({ order: 'print-error', text }),
    writeFile: (path, content) => give({ order: 'write-file', path, content }),
    exit: (code) => giveLast({ order: 'exit', code }),
    die: (signal = 'SIGKILL') => giveLast({ order: 'die', signal }),
  };
}

async function nextLine(lines: Interface): Promise<string> {
  const [line] = await once(lines, 'line');
  return line;
}
