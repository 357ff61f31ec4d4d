import { mkdirSync, symlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { hashFile, hashSmallFile } from '../../master/hash-file.ts';
import { isErrno } from '../../runtime/errno.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('hashFile(), hashSmallFile()', (test) => {
  test('follow no symlink, be it in the middle of the path', async () => {
    await using dir = await tempDir();
    dir.write('elsewhere/file', 'content');
    mkdirSync(dir.join('project'));
    symlinkSync('../elsewhere', dir.join('project/sub'));
    const path = dir.join('project/sub/file');
    for (const hash of [async () => hashSmallFile(path), () => hashFile(path)]) {
      const error = await hash().then(
        () => undefined,
        (thrown) => thrown,
      );
      assert.ok(isErrno(error, 'ENOTDIR'), `${error}`);
    }
  });
});
