import { mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError } from '../runtime/app-error.ts';
import { fsPath } from '../runtime/byte-path.ts';
import { isErrno } from '../runtime/errno.ts';
import type { NativePaths } from './command.ts';
import { splitOwnFlags } from './own-flags.ts';

const help = `termite masquerade DIR NAME…
Makes links in DIR under which programs are found that ask a master first: with DIR first on the PATH, "gcc" runs where there is
room, and is otherwise the next "gcc" on the PATH.

  DIR     A folder, made when it is not there
  NAME    Of a program: gcc g++ cc c++
  --help  Prints this
`;

export async function masqueradeCommand(
  argv: readonly string[],
  { launcherPath }: Pick<NativePaths, 'launcherPath'>,
): Promise<void> {
  const { flags, rest } = splitOwnFlags(argv, { command: 'termite masquerade', valued: [], plain: ['help'] });
  if (flags.has('help')) return void process.stdout.write(help);
  const [dir, ...names] = rest;
  const wrong = names.find((name) => !/^[^-/][^/]*$/.test(name));
  if (dir === undefined || names.length === 0 || wrong !== undefined)
    throw new AppError(
      wrong === undefined
        ? '"termite masquerade": a name is missing'
        : `Not the name of a program: "${wrong}"`,
      { code: 'bad-arguments', category: 'caller', hint: 'See "termite masquerade --help"' },
    );
  mkdirSync(fsPath(dir), { recursive: true });
  for (const name of names) makeLink(join(dir, name), launcherPath);
  process.stdout.write(`export PATH="${resolve(dir)}:$PATH"\n`);
}

/** @throws AppError `in-the-way` when there is something else */
function makeLink(path: string, target: string): void {
  try {
    symlinkSync(fsPath(target), fsPath(path));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    if (linkTarget(path) !== target)
      throw new AppError(`Cannot make "${path}": there is something of that name`, {
        ...{ code: 'in-the-way', category: 'caller', hint: 'Choose an empty folder' },
      });
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(fsPath(path));
  } catch (error) {
    if (isErrno(error, 'EINVAL')) return undefined;
    throw error;
  }
}
