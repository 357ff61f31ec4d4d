import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { Journal, type JournalEntry } from '../../master/journal.ts';
import { encodeJson } from '../../runtime/json.ts';
import { mutateBytes } from '../harness/mutate.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const digest = { hash: 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262', sizeBytes: 0 };
const entry: JournalEntry = {
  version: 1,
  id: '0123456789abcdef',
  startedNs: -1n,
  finishedNs: 5n,
  changes: [{ path: 'a', base: null, node: { type: 'file', digest, mode: 0o644, mtimeNs: -1n } }],
  removals: [{ path: 'b/c', isDirectory: false, mtimeNs: -7n }],
  inPlace: [{ path: 'a', inode: 12 }],
  opened: [{ path: 'b', mode: 0o555 }],
};

suite('Journal', (test) => {
  test('unfinished() gives a page that was begun as it was, times before 1970 included', async () => {
    await using dir = await tempDir();
    new Journal(dir.path).prepare(entry).begin();
    assert.equal(
      new Journal(dir.path).unfinished().map((found) => found.entry),
      [entry],
    );
  });

  test('unfinished() takes a mutated page for an entry that encodes to the same, or drops it', async () => {
    await using dir = await tempDir();
    new Journal(dir.path).prepare(entry).begin();
    const [name] = readdirSync(dir.path);
    const path = `${dir.path}/${name}`;
    const page = readFileSync(path);
    mutateBytes([page], (bytes) => {
      writeFileSync(path, bytes);
      const [found] = new Journal(dir.path).unfinished();
      if (found) {
        writePage(path, found.entry);
        const [again] = new Journal(dir.path).unfinished();
        assert.equal(again!.entry, found.entry);
      } else assert.equal(readdirSync(dir.path), []);
    });
  });
});

function writePage(path: string, written: JournalEntry): void {
  const json = Buffer.from(encodeJson(written));
  const head = Buffer.alloc(8, 0);
  head[0] = 1;
  head.writeUInt32LE(json.length, 4);
  writeFileSync(path, Buffer.concat([head, json]));
}
