import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ordinaryId } from '../rigs/ordinary-id.ts';
import { makeTestFolder } from './leftovers.ts';

/** Where tests are to be run, and by which Node.js. */
export interface Checkout {
  packageRoot: string;
  node: string;
}

/** What tests have no use for: what only builds the package, and what runs of benchmarks and of tests have left. */
const unused = /\/(\.git|@biomejs|@typescript|typescript|@types|\.cache|termite-(test|rig)-[^/]*)$/;

/**
 * A copy that everybody can read of a checkout that another user than its owner cannot: tests run its programs as an ordinary user
 * too. It carries the name of this process, which removes it as its other leftovers (leftovers.ts). Modes are widened on
 * the way, for a umask may have closed the files themselves.
 *
 * @returns what was given where nobody else is needed, or everybody can read it
 */
export function readableCheckout(own: Checkout): Checkout {
  if (process.getuid?.() !== 0) return own;
  const isNodeReadable = canRun([own.node, '--version']);
  const probe = join(own.packageRoot, 'dist/test/harness/probe.js');
  if (isNodeReadable && canRun([own.node, probe])) return own;

  const folder = makeTestFolder('copy', tmpdir());
  chmodSync(folder, 0o755);
  const packageRoot = join(folder, basename(own.packageRoot));
  const options = { recursive: true, verbatimSymlinks: true };
  cpSync(own.packageRoot, packageRoot, { ...options, filter: isWanted });
  // Worktrees share that of the main one, by a symlink.
  const modules = join(packageRoot, 'node_modules');
  rmSync(modules, { recursive: true, force: true });
  cpSync(realpathSync(join(own.packageRoot, 'node_modules')), modules, { ...options, filter: isWanted });
  execFileSync('chmod', ['-R', 'a+rX', packageRoot]);
  let { node } = own;
  if (!isNodeReadable) {
    node = join(folder, 'node');
    cpSync(own.node, node);
    chmodSync(node, 0o755);
  }
  if (!canRun([node, join(packageRoot, 'dist/test/harness/probe.js')]))
    throw new Error(
      `Cannot make "${folder}" readable for ordinary users: set TMPDIR to a folder that all can enter`,
    );
  return { packageRoot, node };
}

function isWanted(path: string): boolean {
  return !unused.test(path);
}

/** Whether an ordinary user can run a command. */
function canRun(argv: readonly string[]): boolean {
  const asOrdinary = [`--reuid=${ordinaryId}`, `--regid=${ordinaryId}`, '--clear-groups', '--', ...argv];
  return spawnSync('setpriv', asOrdinary, { cwd: '/', stdio: 'ignore' }).status === 0;
}
