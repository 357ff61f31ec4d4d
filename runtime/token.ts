import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { AppError } from './app-error.ts';
import { fsPath } from './byte-path.ts';
import { makePrivateDir } from './cache-dir.ts';
import { isErrno } from './errno.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, S_IFMT, S_IFREG } = constants;
const keyBytes = 32;

/** What the daemons of one user know each other by: a file that only this user can read. See docs/decisions/0025. */
export class Token {
  /** Where it is from, for messages. */
  readonly path: string;
  /** 256 random bits. */
  readonly key: Buffer;

  constructor(path: string, key: Buffer) {
    this.path = path;
    this.key = key;
  }

  /**
   * The token in a folder; makes both if need be.
   *
   * @throws AppError `bad-token` for one that somebody else may know, or a system error
   */
  static open(dir: string): Token {
    const path = join(dir, 'token');
    try {
      return new Token(path, read(path));
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    makePrivateDir(dir);
    make(path);
    return new Token(path, read(path));
  }
}

/** All of it or nothing, whoever else does the same just now. */
function make(path: string): void {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  writeFileSync(fsPath(temporary), `${randomBytes(keyBytes).toString('hex')}\n`, { flag: 'wx', mode: 0o600 });
  try {
    linkSync(fsPath(temporary), fsPath(path));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  } finally {
    unlinkSync(fsPath(temporary));
  }
}

function read(path: string): Buffer {
  // Neither led elsewhere by a symlink nor kept waiting by a FIFO.
  const fd = openSync(fsPath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const { uid, mode } = fstatSync(fd);
    if ((mode & S_IFMT) !== S_IFREG) throw unusable(path, 'it is no file');
    if (uid !== process.geteuid?.()) throw unusable(path, 'it belongs to another user');
    if ((mode & 0o077) !== 0) throw unusable(path, 'it is not for its owner alone');
    const [hex] = /^[0-9a-f]{64}(?=\n$)/.exec(readFileSync(fd, 'latin1')) ?? [];
    if (hex === undefined) throw unusable(path, 'it does not hold 64 hex digits');
    return Buffer.from(hex, 'hex');
  } finally {
    closeSync(fd);
  }
}

function unusable(path: string, why: string): AppError {
  return new AppError(`Cannot use the token "${path}": ${why}`, {
    ...{ code: 'bad-token', category: 'caller' },
    hint: 'Remove it and start your executors, masters and the coordinator again: the first makes a new one',
  });
}
