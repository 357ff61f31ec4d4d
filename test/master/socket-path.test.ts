import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  removeOtherSockets,
  rootFilePath,
  rootOfSocket,
  servingSocketPath,
} from '../../master/socket-path.ts';
import { decodeBytes } from '../../runtime/byte-path.ts';
import { projectStateDir } from '../../runtime/cache-dir.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

suite('servingSocketPath()', (test) => {
  test('is another one for a folder that took the place of the root', async () => {
    await using dir = await tempDir();
    const root = dir.join('root');
    mkdirSync(root);
    const first = servingSocketPath('/state', root);
    const { dev, ino } = statSync(root);
    assert.is(first, `/state/socket-${dev.toString(16)}-${ino.toString(16)}`);
    renameSync(root, dir.join('old'));
    mkdirSync(root);
    assert.is.not(servingSocketPath('/state', root), first);
    assert.is(servingSocketPath('/state', dir.join('old')), first);
  });

  test('is in a folder that native/test/project_test.c knows', () => {
    assert.is(
      projectStateDir({ XDG_CACHE_HOME: '/cache' }, '/srv/a'),
      '/cache/termite/projects/b068a6cef8334eeb',
    );
  });
});

suite('rootOfSocket()', (test) => {
  test('is the folder of a socket in a project, and what the state folder says of any other', async () => {
    await using dir = await tempDir();
    const root = decodeBytes(Buffer.from('/caf\xe9', 'latin1'));
    assert.is(rootOfSocket('/srv/.termite-socket'), '/srv');
    assert.is(rootOfSocket(dir.join('socket-1-2')), undefined);
    writeFileSync(rootFilePath(dir.path), Buffer.from('/caf\xe9', 'latin1'));
    assert.is(rootOfSocket(dir.join('socket-1-2')), root);
    assert.is(rootOfSocket(dir.join('parked')), root);
  });
});

suite('removeOtherSockets()', (test) => {
  test('takes away what masters of other folders have left, and nothing else', async () => {
    await using dir = await tempDir();
    for (const name of ['socket-1-2', 'socket-1-3', 'parked', 'root']) dir.write(name, '');
    const kept = join(dir.path, 'socket-1-3');
    removeOtherSockets(dir.path, kept);
    assert.equal(readdirSync(dir.path).sort(), ['parked', 'root', basename(kept)]);
  });
});
