import { lstatSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { CompilationDatabase } from '../../master/compilation-database.ts';
import { AppError } from '../../runtime/app-error.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';

/** A project with these sources. */
async function projectWith(...sources: string[]): Promise<TempDir> {
  const dir = await tempDir();
  for (const source of sources) dir.write(source, '');
  return dir;
}

/** A build of these lines in the root. */
function build(dir: TempDir, ...lines: string[]): void {
  const database = new CompilationDatabase(dir.join('db.json'));
  for (const line of lines) database.note(line, dir.path);
  database.write();
}

const read = (dir: TempDir, name = 'db.json') => JSON.parse(readFileSync(dir.join(name), 'utf8'));
const outputs = (dir: TempDir) => read(dir).map(({ output }: { output: string }) => output);

suite('CompilationDatabase', (test) => {
  test('write() makes a database of what was compiled', async () => {
    await using dir = await projectWith('a.c');
    build(dir, 'cc -c a.c', 'echo cc', 'cc -c a.c', 'cc -o a a.o');
    assert.equal(read(dir), [
      { directory: dir.path, file: dir.join('a.c'), arguments: ['cc', '-c', 'a.c'], output: 'a.o' },
    ]);
  });

  test('write() keeps what a former build has compiled, sorted, the latest of each', async () => {
    await using dir = await projectWith('a.c', 'b.c', 'c.c');
    build(dir, 'cc -c c.c', 'cc -c a.c', 'cc -c a.c -o a.pic.o -fpic');
    build(dir, 'cc -c b.c', 'cc -c -O2 a.c');
    assert.equal(outputs(dir), ['a.o', 'a.pic.o', 'b.o', 'c.o']);
    assert.equal(read(dir)[0].arguments, ['cc', '-c', '-O2', 'a.c']);
  });

  test('write() drops entries whose source is gone', async () => {
    await using dir = await projectWith('a.c', 'b.c');
    build(dir, 'cc -c a.c', 'cc -c b.c');
    rmSync(dir.join('a.c'));
    build(dir);
    assert.equal(outputs(dir), ['b.o']);
  });

  test('write() keeps what others have written, in their own way, until it knows better', async () => {
    await using dir = await projectWith('a.c', 'b.c');
    const entry = (file: string) => ({ directory: '.', command: `cc -c ${file}`, file, mine: 1 });
    dir.write('db.json', JSON.stringify([entry('b.c'), entry('a.c')]));
    build(dir, 'gcc -c a.c');
    assert.equal(
      read(dir).map((each: object) => 'mine' in each),
      [false, true],
    );
    assert.equal(read(dir)[1], entry('b.c'));
  });

  test('write() leaves a file alone that says the same already, and one that is no database', async () => {
    await using dir = await projectWith('a.c');
    build(dir, 'cc -c a.c');
    const { ino } = statSync(dir.join('db.json'));
    build(dir, 'cc -c a.c');
    assert.is(statSync(dir.join('db.json')).ino, ino);
    for (const text of ['{', '{"a": 1}', '[{"file": "a.c"}]']) {
      dir.write('db.json', text);
      assert.throws(
        () => build(dir, 'cc -c a.c'),
        (error: unknown) => error instanceof AppError && error.code === 'bad-compilation-database',
      );
      assert.is(readFileSync(dir.join('db.json'), 'utf8'), text);
    }
    assert.equal(readdirSync(dir.path).sort(), ['a.c', 'db.json'], 'nothing temporary is left');
  });

  test('write() writes through a link', async () => {
    await using dir = await projectWith('a.c', 'build/x');
    dir.write('build/db.json', '[]');
    symlinkSync('build/db.json', dir.join('db.json'));
    build(dir, 'cc -c a.c');
    assert.ok(lstatSync(dir.join('db.json')).isSymbolicLink());
    assert.is(read(dir, 'build/db.json').length, 1);
  });
});
