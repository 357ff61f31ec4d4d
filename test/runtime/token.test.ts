import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { AppError } from '../../runtime/app-error.ts';
import { runProgram } from '../../runtime/child-process.ts';
import { Token } from '../../runtime/token.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { ordinaryId } from '../rigs/ordinary-id.ts';

function problemOf(dir: string): AppError {
  try {
    Token.open(dir);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  return assert.unreachable('expected an error') as never;
}

suite('Token.open()', (test) => {
  test('makes a token for the user alone, once', async () => {
    await using dir = await tempDir();
    const first = Token.open(dir.join('state'));
    assert.is(first.key.length, 32);
    assert.ok(first.key.equals(Token.open(dir.join('state')).key));
    assert.not.ok(first.key.equals(Token.open(dir.join('other')).key));
    assert.equal(
      [dir.join('state'), first.path].map((path) => statSync(path).mode & 0o7777),
      [0o700, 0o600],
    );
    assert.equal(readdirSync(dir.join('state')), ['token']);
  });

  test('gives the same one to all who open it at once', async () => {
    await using dir = await tempDir();
    const module = JSON.stringify(new URL('../../runtime/token.js', import.meta.url).href);
    const code = `import(${module}).then(({ Token }) => console.log(Token.open(process.argv[1]).key.toString('hex')))`;
    const runs = Array.from({ length: 4 }, () =>
      runProgram(process.execPath, ['-e', code, dir.join('state')]),
    );
    const keys = (await Promise.all(runs)).map(({ stdout }) => stdout.toString());
    assert.match(keys[0]!, /^[0-9a-f]{64}\n$/);
    assert.is(new Set(keys).size, 1);
    assert.equal(readdirSync(dir.join('state')), ['token']);
  });

  test('refuses one that others may know, or have made', async () => {
    await using dir = await tempDir();
    const good = Token.open(dir.path);
    const cases: [why: RegExp, spoil: () => void][] = [
      [/not for its owner alone/, () => chmodSync(good.path, 0o640)],
      [/not for its owner alone/, () => chmodSync(good.path, 0o602)],
      [/64 hex digits/, () => dir.write('token', 'x', { mode: 0o600 })],
      [
        /it is no file/,
        () => {
          rmSync(good.path);
          mkdirSync(good.path);
        },
      ],
    ];
    for (const [why, spoil] of cases) {
      spoil();
      const { code, message, hint } = problemOf(dir.path);
      assert.is(code, 'bad-token');
      assert.match(message, why);
      assert.match(message, good.path);
      assert.match(hint!, /^Remove it/);
      rmSync(good.path, { recursive: true });
      Token.open(dir.path);
    }
    rmSync(good.path);
    symlinkSync('/etc/hostname', good.path);
    assert.throws(() => Token.open(dir.path), /ELOOP/);
  });

  test("refuses another user's", async () => {
    if (process.getuid?.() !== 0) return;
    await using dir = await tempDir();
    chownSync(Token.open(dir.path).path, ordinaryId, ordinaryId);
    assert.match(problemOf(dir.path).message, /belongs to another user/);
  });
});
