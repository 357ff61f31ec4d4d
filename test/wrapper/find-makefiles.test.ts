import * as assert from 'uvu/assert';
import { findMakefiles } from '../../wrapper/find-makefiles.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('findMakefiles()', (test) => {
  test('finds makefiles by their names, the nearest first, and which of them make begins with', async () => {
    await using dir = await tempDir();
    for (const file of [
      ...['Makefile', 'GNUmakefile', 'x.mk', 'Makefile.in', 'mk', 'sub/makefile', 'sub/deep/Makefile'],
      ...['.git/Makefile', 'node_modules/x/Makefile', 'sub/node_modules/Makefile', 'dir.mk/y.mk'],
    ])
      dir.write(file, '');
    const found = [...findMakefiles(dir.path)].map(({ file, isFirst }) => [
      file.slice(dir.path.length + 1),
      isFirst,
    ]);
    const depth = (name: unknown) => `${name}`.split('/').length;
    assert.equal(
      found.map(([name]) => depth(name)),
      [1, 1, 1, 2, 2, 3],
    );
    assert.equal(Object.fromEntries(found), {
      ...{ Makefile: false, GNUmakefile: true, 'x.mk': false },
      ...{ 'sub/makefile': true, 'dir.mk/y.mk': false, 'sub/deep/Makefile': true },
    });
  });

  test('leaves out what is beyond 2,000 folders', async () => {
    await using dir = await tempDir();
    for (let i = 0; i < 2_100; i++) dir.write(`${i}/x`, '');
    dir.write('0/deep/Makefile', '');
    assert.equal([...findMakefiles(dir.path)], []);
    dir.write('x.mk', '');
    assert.is([...findMakefiles(dir.path)].length, 1);
  });

  test('finds nothing where there is nothing', () => {
    assert.equal([...findMakefiles('/no/such/folder')], []);
  });
});
