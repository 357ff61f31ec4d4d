import * as assert from 'uvu/assert';
import { decodeBytes } from '../../runtime/byte-path.ts';
import { runProgram } from '../../runtime/child-process.ts';
import { exactArguments, exactEnvironment } from '../../runtime/process-bytes.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const raw = decodeBytes(Buffer.from('caf\xe9 \xff', 'latin1'));

suite('exactArguments(), exactEnvironment()', (test) => {
  test('leave text as it is', () => {
    assert.equal(exactArguments(['a', 'ö']), ['a', 'ö']);
    assert.equal(exactEnvironment({ A: 'ö', B: undefined }), { A: 'ö', B: undefined });
  });

  test('find bytes that are no text, whatever is beside them', async () => {
    const module = JSON.stringify(new URL('../../runtime/process-bytes.js', import.meta.url).href);
    const script = `import { exactArguments, exactEnvironment } from ${module};
      console.log(JSON.stringify([exactArguments(process.argv.slice(1)), exactEnvironment(process.env).V]));`;
    const argv = ['--input-type=module', '-e', script, '--', '', raw, 'x=\n'];
    const { stdout, stderr } = await runProgram(process.execPath, argv, { env: { V: raw, EMPTY: '' } });
    assert.equal(JSON.parse(stdout.toString()), [['', raw, 'x=\n'], raw], stderr.toString());
  });
});

suite('spawnChild(), with bytes that are no text', (test) => {
  const print = 'printf "%s|" "$@" "$V" "$PWD"; cat; exit 7';

  test('hands them on, with input, status and folder', async () => {
    await using dir = await tempDir();
    const { status, stdout } = await runProgram('sh', ['-c', print, 'sh', raw, ''], {
      ...{ env: { PATH: process.env['PATH'], V: raw }, cwd: dir.path, input: 'in' },
    });
    assert.equal(status, { kind: 'exit', code: 7 });
    assert.is(decodeBytes(stdout), `${raw}||${raw}|${dir.path}|in`);
  });

  test('hands on more than a pipe holds, and an environment without anything', async () => {
    const long = raw.repeat(10_000);
    const { stdout } = await runProgram('/bin/sh', ['-c', 'printf "%s" "$1"; env | grep -c V', 'sh', long], {
      env: {},
    });
    assert.is(decodeBytes(stdout), `${long}0\n`);
  });

  test('ends as a shell does for what is no program', async () => {
    const missing = await runProgram(`/nowhere/${raw}`, []);
    assert.equal(missing.status, { kind: 'exit', code: 127 });
    assert.match(missing.stderr.toString(), /^termite: exec "\/nowhere\/caf\\xe9 \\xff": No such file/);
    assert.equal((await runProgram('/', [raw])).status, { kind: 'exit', code: 126 });
  });
});
